import assert from "node:assert/strict";
import { serverFile } from "../config/server-file.ts";

const { load } = serverFile();

describe("The settings of Bitbucket", () => {
  const host = async (settings: string) =>
    (await load(`hosts: { bb: { type: bitbucket, webhookSecret: s, ${settings} } }\nrepos: [acme/*]\n`)).hosts.bb;

  it("lead to Cloud without `url`, and to Data Center with it", async () => {
    const cloud = await host("username: sam@example.com, token: t");
    assert.deepEqual(
      [cloud?.url, cloud?.apiUrl, cloud?.cloneUrl],
      [null, "https://api.bitbucket.org/2.0", "https://bitbucket.org"],
    );
    const dataCenter = await host("url: https://git.example.com/");
    assert.deepEqual(
      [dataCenter?.url, dataCenter?.apiUrl, dataCenter?.cloneUrl],
      ["https://git.example.com", null, "https://git.example.com/scm"],
    );
  });

  it("have the address of one of them only", async () => {
    await assert.rejects(
      host("url: https://git.example.com, apiUrl: https://api.example.com"),
      /hosts\.bb\.apiUrl: .*no apiUrl beside url/,
    );
  });
});
