import assert from "node:assert/strict";
import crypto, { createHmac } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import fc from "fast-check";
import { hintReader } from "../../../src/hosts/github/hints.ts";
import { BadSignature } from "../../../src/hosts/host.ts";

const SECRET = "It's a Secret to Everybody";
const body = Buffer.from('{"zen":"Keep it logically awesome."}');
/** Beyond what the library is given at once. */
const large = Buffer.from(JSON.stringify({ zen: "x".repeat(300_000) }));
const readHints = hintReader(SECRET);

const sign = (text: Buffer, secret = SECRET, kind = "sha256") =>
  `${kind}=${createHmac(kind, secret).update(text).digest("hex")}`;

function isTaken(text: Buffer, signatures: Record<string, string>): Promise<boolean> {
  return readHints({ headers: { "x-github-event": "ping", ...signatures }, body: text }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof BadSignature) return false;
      throw error;
    },
  );
}

describe("A webhook's signature headers", () => {
  const right = sign(body);
  const values = [
    "",
    right,
    right.toUpperCase(),
    `${right} `,
    ` ${right}`,
    `${right}, ${sign(body, "guess")}`,
    `${sign(body, "guess")}, ${right}`,
    right.slice(0, -1),
    right.slice(0, 7),
    right.slice(7),
    `${right}0`,
    right.replace("sha256=", "sha512="),
    right.replace("sha256=", "sha1="),
    sign(body, SECRET, "sha1"),
    sign(body, SECRET, "sha1").replace("sha1=", "sha256="),
    sign(body, "guess"),
    sign(body, ""),
    sign(Buffer.from("{}")),
    sign(Buffer.concat([body, Buffer.from("\n")])),
    `sha256=${"0".repeat(64)}`,
    "sha256=undefined",
  ];
  const headers = ["x-hub-signature-256", "x-hub-signature", "x-signature", "authorization", "x-hub-signature-512"];

  it("let a body in by the right SHA-256 under its own header alone, whatever the others say", async () => {
    const mixture = fc.dictionary(fc.constantFrom(...headers), fc.constantFrom(...values), { maxKeys: headers.length });
    await fc.assert(
      fc.asyncProperty(mixture, async (signatures) => {
        assert.equal(await isTaken(body, signatures), signatures["x-hub-signature-256"] === right);
      }),
      { numRuns: 2_000, examples: values.map((value): [Record<string, string>] => [{ "x-hub-signature-256": value }]) },
    );
  });

  describe("are compared", () => {
    const real = crypto.timingSafeEqual;
    let compared: [number, number][];
    before(() => {
      crypto.timingSafeEqual = (a, b) => {
        compared.push([a.byteLength, b.byteLength]);
        return real(a, b);
      };
      syncBuiltinESMExports();
    });
    after(() => {
      crypto.timingSafeEqual = real;
      syncBuiltinESMExports();
    });
    beforeEach(() => {
      compared = [];
    });

    for (const [what, text] of [
      ["a small body", body],
      ["a large one", large],
    ] as const) {
      it(`in constant time, and only where they are of one length, for ${what}`, async () => {
        const right = sign(text);
        for (const at of [0, 7, 40, right.length - 1]) {
          compared = [];
          const wrong = `${right.slice(0, at)}${right[at] === "0" ? "1" : "0"}${right.slice(at + 1)}`;
          assert.equal(await isTaken(text, { "x-hub-signature-256": wrong }), false);
          assert.deepEqual(compared, [[right.length, right.length]], `wrong at ${at}`);
        }
        compared = [];
        for (const other of [right.slice(0, -1), `${right}0`, "é".repeat(right.length)])
          assert.equal(await isTaken(text, { "x-hub-signature-256": other }), false);
        assert.deepEqual(compared, []);
        assert.equal(await isTaken(text, { "x-hub-signature-256": right }), true);
        assert.ok(compared.length > 0);
      });
    }
  });
});
