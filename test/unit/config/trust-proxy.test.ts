import assert from "node:assert/strict";
import { loadServerConfig } from "../../../src/config/server.ts";
import { trustProxy } from "../../../src/config/trust-proxy.ts";

describe("trustProxy", () => {
  it("is a list of addresses and ranges, or a number of proxies", () => {
    for (const [given, read] of [
      [1, 1],
      ["2", 2],
      [
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "::1"],
      ],
      [["10.0.0.0/8", "fd00::/8", "loopback", "linklocal", "uniquelocal"], undefined],
    ] as const) {
      assert.deepEqual(trustProxy.parse(given), read ?? given);
    }
    assert.equal(trustProxy.parse(undefined), null);
  });

  it("never means everybody, and no name that is looked up", () => {
    for (const given of [
      true,
      "true",
      0,
      17,
      [],
      "loopback",
      ["0.0.0.0/0"],
      ["::/0"],
      ["*"],
      ["proxy"],
      ["10.0.0.0/33"],
    ]) {
      const result = trustProxy.safeParse(given);
      assert.equal(result.success, false, JSON.stringify(given));
      assert.match(result.error?.issues[0]?.message ?? "", /addresses of your proxies|whole number/);
    }
  });

  it("is left out, or said by DELIVERD_TRUST_PROXY: a list with commas, or a number", () => {
    const needed = { DELIVERD_REPOS: "acme/*", GITHUB_WEBHOOK_SECRET: "s3cret" };
    const read = (text?: string) => loadServerConfig({ env: { ...needed, DELIVERD_TRUST_PROXY: text } }).trustProxy;
    assert.equal(read(), null);
    assert.equal(read(""), null);
    assert.equal(read("1"), 1);
    assert.deepEqual(read("loopback, 10.0.0.0/8"), ["loopback", "10.0.0.0/8"]);
    assert.throws(() => read("proxy.example.com"), /DELIVERD_TRUST_PROXY: .*expected the addresses of your proxies/);
  });
});
