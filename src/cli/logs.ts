import { Readable } from "node:stream";
import { type ClientOptions, request } from "./client.ts";
import { terminalSafe } from "./terminal.ts";

/** The API's path of a delivery's log. */
export function logPath(id: string): string {
  return `/api/v1/deliveries/${encodeURIComponent(id)}/log`;
}

/** Prints a delivery's log from its server-sent events until the delivery is finished. */
export async function followLog(options: ClientOptions, id: string): Promise<void> {
  const response = await request(options, logPath(id), { headers: { accept: "text/event-stream" } });
  let event = "";
  let rest = "";
  for await (const chunk of Readable.fromWeb((response.body ?? new ReadableStream()) as never).setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("event: ")) event = line.slice("event: ".length);
      else if (line.startsWith("data: ") && event === "log")
        process.stdout.write(`${terminalSafe(line.slice("data: ".length))}\n`);
    }
  }
}
