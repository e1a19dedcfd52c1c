import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type ClientOptions, request } from "./client.ts";
import { EXIT, Failure } from "./exit.ts";

/** How often a connection that was cut is opened again in a row, and how long to wait before each time. */
const MAX_RECONNECTS = 5;
const RECONNECT_DELAY_MS = 1_000;

export interface StateChange {
  state: string;
  because: string;
}

interface Follower {
  /** A part of the log: one or more lines, without the last line end. */
  onText(text: string): void;
  onState(change: StateChange): void;
}

/** A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
interface ServerSentEvent {
  type: string;
  id: string;
  data: string;
}

/**
 * Follows a delivery until it has ended. If the connection is cut, it goes on after the last part that arrived.
 * @returns the delivery's last state
 * @throws Failure if the server does not answer any more
 */
export async function followLog(options: ClientOptions, id: string, follower: Follower): Promise<StateChange> {
  let last: StateChange = { state: "", because: "" };
  let lastId = "";
  let hasBegun = false;
  for (let left = MAX_RECONNECTS; ; left--) {
    try {
      for await (const event of eventsOf(options, id, lastId)) {
        left = MAX_RECONNECTS;
        hasBegun = true;
        if (event.id !== "") lastId = event.id;
        if (event.type === "log") follower.onText(event.data);
        if (event.type === "state") {
          last = JSON.parse(event.data) as StateChange;
          follower.onState(last);
        }
        if (event.type === "end") return { ...last, state: event.data };
      }
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure(EXIT.failed, cutMessage(options));
      // If there is no such delivery, or if the token is refused, trying again does not help.
      if (left === 0 || !hasBegun || failure.exitCode !== EXIT.failed) throw failure;
    }
    if (left === 0) throw new Failure(EXIT.failed, cutMessage(options));
    await delay(RECONNECT_DELAY_MS);
  }
}

function cutMessage({ server }: ClientOptions): string {
  return `${server} closes the connection before the log has ended. Run the command again.`;
}

async function* eventsOf(options: ClientOptions, id: string, lastId: string): AsyncGenerator<ServerSentEvent> {
  const headers = { accept: "text/event-stream", ...(lastId === "" ? {} : { "last-event-id": lastId }) };
  const response = await request(options, `/api/v1/deliveries/${id}/log`, { headers });
  let event: ServerSentEvent & { lines: string[] } = newEvent();
  let rest = "";
  for await (const chunk of Readable.fromWeb((response.body ?? new ReadableStream()) as never).setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        // A comment alone, such as a heartbeat, is no event.
        if (event.lines.length > 0) yield { ...event, data: event.lines.join("\n") };
        event = newEvent();
      } else if (line.startsWith("event: ")) event.type = line.slice("event: ".length);
      else if (line.startsWith("id: ")) event.id = line.slice("id: ".length);
      else if (line.startsWith("data: ")) event.lines.push(line.slice("data: ".length));
    }
  }
}

function newEvent(): ServerSentEvent & { lines: string[] } {
  return { type: "", id: "", data: "", lines: [] };
}
