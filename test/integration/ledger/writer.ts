import { addHints } from "../../../src/ledger/hints.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";

/**
 * A process of its own for processes.test.ts: opens the place in its first argument and commits batches of 20 hints, each
 * acknowledged on stdout by its name, until it is killed or has written as many batches as its third argument says.
 */
const [place = "", name = "", batches = "Infinity"] = process.argv.slice(2);

async function main(): Promise<void> {
  const ledger = await openLedger(JSON.parse(place));
  const repo = { id: "github:1", host: "github", owner: "acme", name: "api", defaultBranch: null };
  for (let n = 0; n < Number(batches); n++) {
    const deliveryId = `${name}-${n}`;
    const hints = Array.from({ length: 20 }, () => ({ repo, event: "push", deliveryId, ref: null, sha: null }));
    await addHints(ledger, hints);
    process.stdout.write(`${deliveryId}\n`);
  }
  await ledger.close();
}

void main();
