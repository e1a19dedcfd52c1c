import assert from "node:assert/strict";
import fc from "fast-check";
import { readChallenges } from "../../../src/http/challenges.ts";

describe("Parsing WWW-Authenticate", () => {
  it("accepts several challenges, with commas and quotes in their values", () => {
    const header = 'Basic realm="a, \\"b\\"", Bearer realm="https://x/t",service=reg,scope="repository:a/b:pull,push"';
    assert.deepEqual(readChallenges(header), [
      { scheme: "basic", params: { realm: 'a, "b"' } },
      { scheme: "bearer", params: { realm: "https://x/t", service: "reg", scope: "repository:a/b:pull,push" } },
    ]);
  });

  it("reads whatever is written according to RFC 9110", () => {
    const value = fc.string().filter((text) => !/[\p{Cc}]/u.test(text));
    const params = fc.dictionary(fc.constantFrom("realm", "service", "scope"), value, { noNullPrototype: true });
    fc.assert(
      fc.property(
        fc.array(fc.record({ scheme: fc.constantFrom("basic", "bearer"), params }, { noNullPrototype: true }), {
          maxLength: 3,
        }),
        (all) => {
          const header = all.map(({ scheme, params }) => {
            const written = Object.entries(params).map(([name, text]) => `${name}="${text.replace(/["\\]/g, "\\$&")}"`);
            return `${scheme} ${written.join(", ")}`;
          });
          assert.deepEqual(readChallenges(header.join(", ")), all);
        },
      ),
    );
  });

  const cases: [string, string, ReturnType<typeof readChallenges>][] = [
    ["a token68", "Negotiate a+b/c==, NTLM", [bare("negotiate"), bare("ntlm")]],
    [
      "a scheme alone before another",
      "Bearer, Basic realm=x",
      [bare("bearer"), { scheme: "basic", params: { realm: "x" } }],
    ],
    ["empty elements", ",, Basic , ,", [bare("basic")]],
    ["a value without quotes that needs them", "Bearer realm=https://h/t,service=s", [bearer("https://h/t", "s")]],
    ["blanks around an equals sign", 'Bearer realm = "https://h/t" , service =s', [bearer("https://h/t", "s")]],
    ["no comma between parameters", 'Bearer realm="https://h/t" service="s"', [bearer("https://h/t", "s")]],
    ["a name that comes twice", 'Bearer realm="https://h/t",service=s,realm=x', [bearer("https://h/t", "s")]],
    ["a value that is empty", 'Bearer realm="",service=s', [bearer("", "s")]],
    ["a quote that never ends", 'Bearer service=s,realm="https://h', [bearer("https://h", "s")]],
    ["a parameter without a scheme", 'realm="x", Basic', [bare("basic")]],
    ["a quoted text without a scheme", '"Bearer realm=x", Basic', [bare("basic")]],
  ];
  for (const [what, header, challenges] of cases) {
    it(`accepts ${what}`, () => assert.deepEqual(readChallenges(header), challenges));
  }

  it("throws for no text at all", () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(readChallenges(text))));
  });
});

function bare(scheme: string) {
  return { scheme, params: {} };
}

function bearer(realm: string, service: string) {
  return { scheme: "bearer", params: { realm, service } };
}
