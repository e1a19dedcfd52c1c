import type { Response } from "express";
import { printable } from "../delivery/printable.ts";

export function sendJson(response: Response, body: object, status = 200): void {
  sendJsonText(response.status(status), JSON.stringify(body));
}

/** Sends JSON that is already text. */
export function sendJsonText(response: Response, json: string): void {
  response.set("cache-control", "no-store").type("json").send(printable(json));
}
