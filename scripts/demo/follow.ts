import type { Deliverd } from "../../test/support/world/deliverd.ts";

export interface LiveEvent {
  event: string;
  data: string;
}

/** Listens to a delivery's server-sent events from now on, until the server has no more to tell. */
export async function follow(deliverd: Deliverd, id: string, signal: AbortSignal): Promise<AsyncGenerator<LiveEvent>> {
  const response = await deliverd.fetch(`/api/v1/deliveries/${id}/log`, {
    headers: { accept: "text/event-stream" },
    signal,
  });
  if (!response.ok) throw new Error(`the live log answered ${response.status}`);
  return eventsIn(response);
}

/** It holds the response, not its body: if nobody reads yet, Node ends the body when the response is collected. */
async function* eventsIn(response: Response): AsyncGenerator<LiveEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield eventOf(block);
  }
}

function eventOf(block: string): LiveEvent {
  const fields = block
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(": ") + 2)]);
  const valuesOf = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value ?? "");
  return { event: valuesOf("event").join(""), data: valuesOf("data").join("\n") };
}
