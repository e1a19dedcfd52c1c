import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir } from "../../support/processes/process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("The domain", function () {
  this.timeout(120_000);

  it("compiles with every other room deleted", async () => {
    const copy = await tempDir();
    try {
      await cp(join(root, "src/delivery"), join(copy.path, "src/delivery"), { recursive: true });
      await cp(join(root, "package.json"), join(copy.path, "package.json"));
      await symlink(join(root, "node_modules"), join(copy.path, "node_modules"));
      const { compilerOptions } = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8"));
      const config = { compilerOptions: { ...compilerOptions, types: ["node"] }, include: ["src"] };
      await writeFile(join(copy.path, "tsconfig.json"), JSON.stringify(config));
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      const errors = await new Promise<string>((resolve) => {
        execFile(process.execPath, [tsc, "--pretty", "false"], { cwd: copy.path }, (_, stdout) => resolve(stdout));
      });
      assert.equal(errors, "");
    } finally {
      await copy.remove();
    }
  });
});
