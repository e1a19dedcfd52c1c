import assert from "node:assert/strict";
import { checksOf } from "../../../src/cli/doctor-checks.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { serverFile } from "../config/server-file.ts";

describe("The doctor's check of a git host", () => {
  const { load } = serverFile();
  let github: ScriptedServer;
  before(async () => {
    github = await startScriptedServer((_asked, response) => json(response, 404, { message: "Not Found" }));
  });
  after(() => github.close());

  it("fails where the host does not show a repo that `repos` names (host-shows-no-repo)", async () => {
    const host = `{ type: github, webhookSecret: s3cret, apiUrl: "${github.url}", token: ghs_test }`;
    const config = await load(`hosts: { github: ${host} }\nrepos: [acme/api]\n`);
    const checks = await checksOf(config, { learn: () => {} });
    const check = checks.find(({ part }) => part === "host github");
    assert.ok(check);
    await assert.rejects(check.run(), { name: "ConfigError", code: "host-shows-no-repo", message: /acme\/api/ });
  });
});
