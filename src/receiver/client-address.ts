import { isIP } from "node:net";
import type { Request } from "express";

/**
 * The address of the client that sent a request. Behind a proxy of `trustProxy`, the one that the proxy gives in
 * X-Forwarded-For; else the one of the connection, whatever a header says. Some proxies add a port.
 */
export function clientAddress(request: Request): string {
  const told = request.ip ?? "";
  const [, inBrackets, plain] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(told) ?? [];
  const found = [told, inBrackets, plain].find((text) => text !== undefined && isIP(text) > 0);
  return found ?? request.socket.remoteAddress ?? "";
}
