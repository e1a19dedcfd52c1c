import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { openHttpClient } from "../../../src/http/client.ts";
import { reasonWithoutAnswer } from "../../../src/http/no-answer.ts";
import { startScriptedServer } from "../../support/network/scripted-server.ts";

describe("The reason why a call got no answer", () => {
  it("says that a plain port was called with https, by every client that deliverd has", async () => {
    const server = await startScriptedServer((_asked, response) => response.end("plain"));
    try {
      const url = new URL(server.url.replace("http:", "https:"));
      const ours = openHttpClient()({ method: "GET", url, headers: {}, signal: AbortSignal.timeout(5_000) });
      for (const call of [ours, fetch(url)]) {
        const reason = reasonWithoutAnswer(await errorOf(call));
        assert.equal(
          reason,
          "what listens there does not speak TLS: write the URL for no TLS (http, redis), or give the port that has TLS",
        );
      }
    } finally {
      await server.close();
    }
  });

  it("says that what answered is no HTTP", async () => {
    const server: Server = createServer();
    server.on("connection", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const url = new URL(`http://127.0.0.1:${port}`);
    const call = openHttpClient()({ method: "GET", url, headers: {}, signal: AbortSignal.timeout(5_000) });
    assert.match(reasonWithoutAnswer(await errorOf(call)), /^what listens there does not speak HTTP \(HPE_/);
    server.close();
  });

  for (const [title, error, reason] of [
    [
      "of another TLS failure without OpenSSL's places",
      "write EPROTO 80DC:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../ssl.c:1593:",
      "the TLS handshake failed (sslv3 alert handshake failure)",
    ],
    ["of the network in the system's words", "connect ECONNREFUSED 127.0.0.1:1", "connect ECONNREFUSED 127.0.0.1:1"],
  ] as const) {
    it(`is told ${title}`, () => {
      assert.equal(reasonWithoutAnswer(new Error(error)), reason);
      assert.equal(reasonWithoutAnswer(new TypeError("fetch failed", { cause: new Error(error) })), reason);
    });
  }
});

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail("it was answered"),
    (error: unknown) => error,
  );
}
