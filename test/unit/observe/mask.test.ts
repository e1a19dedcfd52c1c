import assert from "node:assert/strict";
import fc from "fast-check";
import { createMask } from "../../../src/observe/mask.ts";

const secret = "s3cret+pass/word";

describe("a mask", () => {
  const mask = createMask([secret, "other-secret"]);

  it("hides each secret wherever it stands, and leaves the rest", () => {
    assert.equal(mask(`login ci:${secret}@host, then other-secret.`), "login ci:[secret]@host, then [secret].");
    assert.equal(mask(`${secret}${secret}`), "[secret][secret]");
    assert.equal(mask("nothing to see"), "nothing to see");
  });

  it("hides it URL-encoded, and as JSON writes it", () => {
    assert.equal(mask(`https://h/?t=${encodeURIComponent(secret)}&x`), "https://h/?t=[secret]&x");
    const quoted = 'a "quoted" \\ secret';
    assert.equal(createMask([quoted])(JSON.stringify({ text: quoted })), '{"text":"[secret]"}');
  });

  it("hides it as other writers escape it: Go, PHP, Python, forms and pages", () => {
    const odd = "p&ss <w>rd/(é)'!\"x";
    const shown = [
      "p%26ss%20%3Cw%3Erd%2F%28%C3%A9%29%27%21%22x",
      "p%26ss+%3Cw%3Erd%2F%28%C3%A9%29%27%21%22x",
      "p%26ss%20%3cw%3erd%2f(%c3%a9)'!%22x",
      "p\\u0026ss \\u003cw\\u003erd/(é)'!\\\"x",
      "p&ss <w>rd\\/(\\u00e9)'!\\\"x",
      "p&ss <w>rd/(\\u00e9)'!\\\"x",
      "p&amp;ss &lt;w&gt;rd/(é)&#39;!&quot;x",
    ];
    for (const text of shown) assert.equal(createMask([odd])(`<${text}>`), "<[secret]>", text);
  });

  it("hides each line of its base64 where a tool broke that into lines", () => {
    const long = "k".repeat(30) + "Z9".repeat(50);
    for (const [width, tail] of [
      [76, ""],
      [64, "\n"],
    ] as const) {
      const lines =
        Buffer.from(long + tail)
          .toString("base64")
          .match(new RegExp(`.{1,${width}}`, "g")) ?? [];
      assert.ok(lines.length > 1);
      for (const line of lines) assert.equal(createMask([long])(line), "[secret]", line);
    }
  });

  it("takes a secret that is no text: half of a surrogate pair", () => {
    const broken = createMask([]);
    broken.learn("token-\ud800-token");
    assert.equal(broken("a token-\ud800-token"), "a [secret]");
  });

  it("hides each line of a secret of several", () => {
    const hidden = createMask(["-----BEGIN-----\nabcdefgh\r\nijklmnop"])("> ijklmnop <\n> abcdefgh <");
    assert.equal(hidden, "> [secret] <\n> [secret] <");
  });

  it("hides the whole of a secret that holds another", () => {
    assert.equal(createMask(["pass", "password-long"])("password-long pass"), "[secret] [secret]");
  });

  it("takes a secret's letters as they are: it is no pattern", () => {
    assert.equal(createMask(["a.c(d)$"])("a.c(d)$ abc(d)$"), "[secret] abc(d)$");
  });

  it("leaves text alone where there is no secret, or one too short to tell from words", () => {
    for (const secrets of [[], [""], ["abc"]])
      assert.equal(createMask(secrets)("abc and the rest"), "abc and the rest");
  });

  it("hides a secret of eight bytes or more in base64, whatever stands before and after it", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    const long = fc.string({ unit: "binary-ascii", minLength: 9, maxLength: 40 });
    fc.assert(
      fc.property(
        text,
        long,
        text,
        fc.constantFrom("base64" as const, "base64url" as const),
        (before, one, after, form) => {
          const encoded = Buffer.from(before + one + after).toString(form);
          const left = Buffer.from(createMask([one])(encoded).replaceAll("[secret]", ""), form).toString("latin1");
          assert.ok(!left.includes(Buffer.from(one).toString("latin1")), left);
          assert.notEqual(createMask([one])(encoded), encoded);
        },
      ),
    );
  });

  it("leaves of no text any of its secrets", () => {
    const secrets = fc.array(fc.string({ minLength: 4, maxLength: 12 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(secrets, fc.array(fc.string({ maxLength: 8 }), { maxLength: 5 }), (some, words) => {
        const inside = words.join(some[0]);
        // A secret may be part of what hides it, or be made anew by two pieces that meet.
        fc.pre(some.every((one) => !"[secret]".includes(one)));
        const parts = createMask(some)(inside).split("[secret]");
        for (const part of parts) for (const one of some) assert.ok(!part.includes(one));
      }),
    );
  });
});

describe("a mask that learns", () => {
  const token = "eyJhbGciOi.tok3n-canary_0123456789";

  it("hides what it was told of later, in base64 too, beside what it knew from the start", () => {
    const mask = createMask(["configured"]);
    assert.equal(mask(token), token);
    mask.learn(token);
    assert.equal(mask(`${token} configured`), "[secret] [secret]");
    const encoded = Buffer.from(`aws:${token}`).toString("base64");
    assert.ok(!Buffer.from(mask(encoded).replaceAll("[secret]", ""), "base64").toString().includes("canary"));
  });

  it("forgets the oldest of more than 500, and learns no word that is short", () => {
    const mask = createMask([]);
    for (let number = 0; number <= 500; number++) mask.learn(`token-${1000 + number}`);
    assert.equal(mask("token-1000 token-1001 token-1500"), "token-1000 [secret] [secret]");
    mask.learn("error");
    assert.equal(mask("error"), "error");
  });
});
