import assert from "node:assert/strict";
import { type Host, MalformedWebhook } from "../../../src/hosts/host.ts";
import { hostTypes } from "../../../src/hosts/index.ts";
import type { HostExamples, WebhookExample } from "../../support/hosts/examples/host-examples.ts";
import { noTools } from "../../support/hosts/no-tools.ts";

/** Fewer would leave out events that the host sends. */
const MIN_EXAMPLES = 20;

/** Every webhook of the examples, rightly signed, at an adapter that is opened by its declaration. */
export function describeExamples(name: string, { type, settings, repo, sign, table }: HostExamples): void {
  describe(`the contract of hosts: ${name}: the webhook of`, () => {
    let host: Host;

    before(async () => {
      host = await hostTypes.of(settings).open(type, hostTypes.schema.parse(settings), noTools);
    });

    const read = ({ headers, body }: WebhookExample) => {
      const bytes = Buffer.from(JSON.stringify(body));
      const all = { "content-type": "application/json", ...headers, ...sign(bytes) };
      return host.readHints({ headers: all, body: bytes });
    };

    for (const example of table) {
      const { what, expected } = example;
      const outcome = "ignored" in expected ? "ignored" : "malformed" in expected ? "malformed" : "read";
      it(`${what} is ${outcome}`, async () => {
        if ("malformed" in expected) {
          await assert.rejects(
            read(example),
            (error) => error instanceof MalformedWebhook && expected.malformed.test(error.message),
          );
          return;
        }
        const reading = await read(example);
        if ("ignored" in expected) {
          assert.match("ignored" in reading ? reading.ignored : JSON.stringify(reading), expected.ignored);
          return;
        }
        assert.ok("hints" in reading, JSON.stringify(reading));
        const shown = reading.hints.map(({ deliveryId, ...hint }) => hint);
        assert.deepEqual(
          shown,
          expected.hints.map((hint) => ({ repo, ...hint })),
        );
        const orders = (reading.orders ?? []).map(({ repo: of, deliveryId, ...order }) => {
          assert.deepEqual(of, repo);
          return order;
        });
        assert.deepEqual(orders, expected.orders ?? []);
      });
    }

    it(`each of at least ${MIN_EXAMPLES} events is an example, some of them ignored and some malformed`, () => {
      assert.ok(table.length >= MIN_EXAMPLES, `there are ${table.length}`);
      assert.equal(new Set(table.map(({ what }) => what)).size, table.length, "an example is there twice");
      for (const outcome of ["hints", "ignored", "malformed"]) {
        assert.ok(
          table.some(({ expected }) => outcome in expected),
          outcome,
        );
      }
    });
  });
}
