import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "../../../scripts/imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("A registry's names", () => {
  it("are written through one door", () => {
    const others = sourceFiles(root).filter((file) => !file.startsWith("src/registries/"));
    const callers = others.filter((file) => /\.publish\(/.test(readFileSync(`${root}/${file}`, "utf8")));
    assert.deepEqual(callers, ["workers/names/write-name.ts"]);
  });

  it("are noted and reserved in the ledger through the same", () => {
    const users = sourceFiles(root).filter((file) =>
      /\b(?:reserveName|settleName|recordLocation)\(/.test(readFileSync(`${root}/${file}`, "utf8")),
    );
    assert.deepEqual(users.sort(), [
      "src/ledger/locations.ts",
      "src/ledger/name-writes.ts",
      "workers/names/write-name.ts",
    ]);
  });
});
