import { startProductWorld } from "../test/support/world/product-world.ts";
import { type Bench, withOpened } from "./bench.ts";
import { type Row, toRow } from "./row.ts";

/**
 * API calls of one delivery on each git host: from the webhook of a push, with CI that passes later, to the report of the
 * release; the most of all rounds. Nobody looks by the clock meanwhile. The least and the most differ by the reports of
 * stages that are over before they would be sent, and by answers that the host said before.
 */
export function hosts(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const world = await open(startProductWorld(), (one) => one.stop());
    const rows: Row[] = [];
    for (const member of world.members) {
      const { key, maxCalls } = member.product;
      const counts: number[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        const calls = await world.deliver(member);
        counts.push(calls.length);
        bench.say(`round ${round + 1} of ${bench.rounds}: ${key} ${calls.length}\n  ${calls.join("\n  ")}`);
      }
      const goal = { of: "ours", is: "≤", bound: maxCalls } as const;
      const { spread, ...row } = toRow(
        { row: `hosts-${key}`, beside: "", unit: "API calls", goal },
        [Math.max(...counts)],
        [],
      );
      rows.push({ ...row, spread: { ...spread, ours: [Math.min(...counts), Math.max(...counts)] } });
    }
    return rows;
  });
}
