import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { VERSION } from "../../../src/run/version.ts";

describe("The version of deliverd", () => {
  it("is the one of package.json", async () => {
    const text = await readFile(new URL("../../../package.json", import.meta.url), "utf8");
    assert.equal((JSON.parse(text) as { version: string }).version, VERSION);
  });
});
