import assert from "node:assert/strict";
import fc from "fast-check";
import { remoteText, secretsOfRequest } from "../../../src/http/remote-text.ts";

const TOKEN = "tok3n.canary-0123456789/abc";
const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ";

describe("Text of another server in an error", () => {
  it("is one printable line of at most 300 characters", () => {
    assert.equal(remoteText("a\r\n\tb\u001b[31m\u202ec "), "a b [31m c");
    const long = remoteText("ab ".repeat(1_000));
    assert.ok(long.length <= 301 && long.endsWith("…"));
    assert.ok(!remoteText("😀".repeat(400)).includes("\ufffd"));
  });

  const leaks: [string, string][] = [
    ["a repeated header", "got Authorization: Bearer tok3n-canary-0123456789"],
    ["a Basic login", "Basic Y2k6czNjcmV0LWNhbmFyeQ=="],
    ["a JWT", `invalid token ${JWT} here`],
    ["a password in a URL", "no route to https://ci:s3cret-canary@files.example.com/x"],
    ["a token as the user of a URL", "fatal: https://canary0123@host/x"],
    [
      "an address signed for S3",
      "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAcanary%2F1&X-Amz-Signature=canary99",
    ],
    ["an address signed for Azure", "https://a.blob.core.windows.net/c?sv=2026&sig=canary%2Fabc%3D"],
    ["an address signed for Google", "https://storage.googleapis.com/b/o?X-Goog-Signature=canary0011"],
    ["an address signed for CloudFront", "https://d.cloudfront.net/o?Expires=1&Signature=canary~&Key-Pair-Id=KCANARY1"],
    ["a token in JSON", '{"access_token":"canary-0123","expires_in":1}'],
    ["a token in JSON in JSON", '{"message":"{\\"refresh_token\\":\\"canary-0123\\"}"}'],
    ["a form", "grant_type=password&password=s3cret-canary&client_secret=canary77"],
    ["an npm token", "//r.example.com/:_authToken=npm_canary0123456789abcdefghijklmnopqrstuv is wrong"],
    ["a GitHub token by itself", "bad credentials ghp_canary0123456789abcdefghijklmnopqrst"],
    ["a PyPI token by itself", "pypi-AgEIcHlwaS5vcmcCcanary0123456789"],
    ["an AWS session token in a canonical request", "host:x\nx-amz-security-token:FwoGcanary///abc\n\nhost"],
    ["a secret access key", "aws_secret_access_key=canary/abc+0123456789"],
    ["a cookie", "Cookie: session=canary012345"],
  ];
  for (const [what, text] of leaks) {
    it(`hides ${what}, even if it is not ours`, () => {
      const told = remoteText(text);
      assert.ok(!/canary|Y2k6/i.test(told), told);
      assert.match(told, /\[secret\]/);
    });
  }

  for (const text of [
    "Bearer authentication required",
    "invalid token: it has expired",
    "The Basic scheme is not allowed, use token=none",
    "manifest unknown: acme/api:1.0.0 @ sha256:0123",
    "denied: requested access to the resource is denied",
    "see https://help.example.com/a@b?page=2#token",
  ]) {
    it(`keeps ${JSON.stringify(text)} as it is`, () => assert.equal(remoteText(text), text));
  }

  it("hides the secrets of the request, in every form and broken into lines", () => {
    const basic = Buffer.from(`ci:${TOKEN}`).toString("base64");
    const url = new URL("https://h.example.com/x?X-Amz-Signature=sig-canary-1");
    const shown = { Authorization: `Basic ${basic}`, "X-Session-Token": "session-canary-2" };
    const secrets = secretsOfRequest({ url, headers: shown });
    for (const text of [
      basic,
      TOKEN,
      encodeURIComponent(TOKEN),
      Buffer.from(`xx${TOKEN}yy`).toString("base64"),
      Buffer.from(TOKEN).toString("base64url"),
      "session-canary-2",
      "sig-canary-1",
    ]) {
      for (const shape of [text, `"${text}"`, text.replace(/(.{10})/g, "$1\n")]) {
        const told = remoteText(`before ${shape} after`, secrets);
        assert.ok(!told.replace(/\s/g, "").includes(text), told);
      }
    }
  });

  it("is processed quickly, even 64 KB of hostile text", () => {
    for (const piece of [
      "a.",
      "-eyJ",
      "eyJ.",
      "Bearer ",
      "a://",
      "token=",
      "x-amz-",
      '"token":"',
      "=%3D",
      "https://a@",
      " ",
      "\u202e",
    ]) {
      const began = performance.now();
      remoteText(piece.repeat(65_536 / piece.length), ["canary-of-the-request"]);
      assert.ok(performance.now() - began < 1_000, `${piece}: ${performance.now() - began} ms`);
    }
  });

  it("is cut if it is long, even without a space", () => {
    assert.equal(remoteText("x".repeat(10_000)), `${"x".repeat(300)}…`);
  });

  it("shows no part of a secret at the place where it is cut", () => {
    const tokens = Array.from({ length: 40 }, (_, number) => `Bearer tok3n-canary-${number}-${"x1".repeat(90)}`);
    assert.ok(!/canary|x1x1/.test(remoteText(tokens.join(" "))));
  });

  it("holds no secret of the request, wherever it was in the text", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_.~+/-]{12,60}$/);
    fc.assert(
      fc.property(fc.string(), secret, fc.string(), (before, one, after) => {
        const secrets = secretsOfRequest({
          url: new URL("https://h.example.com/"),
          headers: { Authorization: `Bearer ${one}` },
        });
        assert.ok(!remoteText(before + one + after, secrets).includes(one));
      }),
    );
  });
});
