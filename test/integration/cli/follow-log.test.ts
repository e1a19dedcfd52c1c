import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type Asked, json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { runCli } from "./support.ts";

const ID = "k3v9x0a1b2c4";

describe("deliverd logs --follow", function () {
  this.timeout(60_000);
  let server: ScriptedServer | undefined;
  afterEach(() => server?.close());

  /** Follows a log whose server answers each request with the next of these scripts, and with the last one from then on. */
  async function follow(...scripts: ((response: ServerResponse, asked: Asked) => void)[]) {
    let number = 0;
    server = await startScriptedServer((asked, response) => {
      const script = scripts[Math.min(number++, scripts.length - 1)];
      script?.(response, asked);
    });
    const ended = await runCli(["logs", "-f", ID], { DELIVERD_SERVER: server.url, DELIVERD_TOKEN: "t" });
    return { ...ended, lastIds: server.asked.map(({ headers }) => headers["last-event-id"]) };
  }

  const events = (response: ServerResponse, ...blocks: string[]) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const block of blocks) response.write(`${block}\n\n`);
  };
  const state = (name: string) => `event: state\ndata: ${JSON.stringify({ state: name, because: `it is ${name}` })}`;
  const end = (name: string) => `event: end\ndata: ${name}`;

  it("goes on after the last part that arrived if the connection is cut or closed", async () => {
    const { code, stdout, stderr, lastIds } = await follow(
      (response) => {
        events(response, state("building"), "event: log\nid: 1\ndata: one\ndata: two", ": still here");
        // A part without its end, which must not be printed.
        response.write("event: log\nid: 2\ndata: half", () => response.destroy());
      },
      (response) => {
        events(response, "event: log\nid: 2\ndata: half and whole");
        response.end();
      },
      (response) => {
        events(response, "event: log\nid: 3\ndata: last", state("delivered"), end("delivered"));
        response.end();
      },
    );
    assert.deepEqual([code, stderr, stdout], [0, "", "one\ntwo\nhalf and whole\nlast\n"]);
    assert.deepEqual(lastIds, [undefined, "1", "2"]);
  });

  it("exits with 1 and the reason if the delivery did not end as delivered", async () => {
    const { code, stderr } = await follow((response) => {
      events(response, state("building"), state("cancelled"), end("cancelled"));
      response.end();
    });
    assert.deepEqual([code, stderr], [1, "The delivery ended as cancelled: it is cancelled\n"]);
  });

  it("exits at once if the server does not know the delivery, or does not answer at first", async () => {
    const unknown = await follow((response) => json(response, 404, { detail: "There is no delivery of this id." }));
    assert.deepEqual(
      [unknown.code, unknown.stderr, unknown.lastIds.length],
      [3, "There is no delivery of this id.\n", 1],
    );
    await server?.close();
    const { code, lastIds } = await follow((response) => response.destroy());
    assert.deepEqual([code, lastIds.length], [1, 1]);
  });
});
