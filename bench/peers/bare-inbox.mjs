// node:http and one HMAC before deliverd's own inbox and ledger: what is left is the price of Express and of reading a hint.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { createHintWriter } from "../../src/ledger/hints.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import { createInbox } from "../../src/receiver/inbox.ts";

const { PORT, WEBHOOK_SECRET, DATA_DIR } = process.env;
const ledger = await openLedger({ dataDir: DATA_DIR });
const inbox = createInbox(createHintWriter(ledger));

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const body = Buffer.concat(chunks);
    const expected = Buffer.from(`sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`);
    const given = Buffer.from(request.headers["x-hub-signature-256"] ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      response.writeHead(401).end();
      return;
    }
    await inbox.add([hintOf(JSON.parse(body.toString()), request.headers["x-github-delivery"])]);
    response.writeHead(202, { "content-type": "application/json" }).end("{}");
  });
}).listen(Number(PORT), "127.0.0.1");

function hintOf({ repository, ref, after }, deliveryId) {
  const { id, name, owner, default_branch } = repository;
  const repo = { id: `github:${id}`, host: "github", owner: owner.login, name, defaultBranch: default_branch };
  return { repo, event: "push", deliveryId, ref, sha: after };
}
