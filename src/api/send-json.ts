import type { Response } from "express";
import { printable } from "../delivery/printable.ts";

export function sendJson(response: Response, body: object, status = 200): void {
  sendJsonText(response.status(status), JSON.stringify(body));
}

/**
 * Sends JSON that is already text. A client that has the same answer already, by its ETag, gets 304. Only the client
 * itself may keep an answer, and must ask again before it uses it.
 */
export function sendJsonText(response: Response, json: string): void {
  response.set("cache-control", "private, no-cache").type("json").send(printable(json));
}
