import assert from "node:assert/strict";
import { warnOfMissingSettings } from "../../../src/cli/start-warnings.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { serverFile } from "../config/server-file.ts";

const { load } = serverFile();

describe("The warnings at the start", () => {
  const warnings = async (host: string) => {
    const config = await load(
      `publicUrl: https://d.example.com\nhosts: { gh: { type: github, webhookSecret: s3cret${host} } }\n` +
        `registries: { r: { type: oci, url: "https://r.example.com" } }\nrepos: [acme/*]\n`,
    );
    const lines: string[] = [];
    warnOfMissingSettings(config, { warn: (line) => void lines.push(line) });
    return lines;
  };

  it("name a host without a token", async () => {
    const lines = await warnings("");
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^hosts\.gh\.token is not set/);
  });

  it("are silent about a token where a GitHub App stands in its place", async () => {
    const key = JSON.stringify(testKeys.pkcs8);
    assert.deepEqual(await warnings(`, app: { id: 7, privateKey: ${key} }`), []);
    assert.deepEqual(await warnings(", token: ghp_x"), []);
  });
});
