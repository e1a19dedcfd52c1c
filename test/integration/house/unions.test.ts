import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir } from "../../support/processes/process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const DOMAIN = "src/delivery/types.ts";

/** The files that have to say what a new case of each union means to them. */
const PLACES = {
  ArtifactKind: [
    "src/builders/files/identity.ts",
    "src/builders/files/index.ts",
    "src/builders/index.ts",
    "src/cli/init/pipeline-text.ts",
    "src/delivery/ecosystem-version.ts",
    "src/delivery/package-url.ts",
    "src/registries/artifactory/build-info.ts",
    "src/registries/artifactory/index.ts",
    "workers/commit/holds-version.ts",
  ],
  DeliveryState: [
    "src/cli/state-style.ts",
    "src/delivery/commit-status.ts",
    "src/delivery/delivery-states.ts",
    "src/hosts/github/app/check-run.ts",
    "workers/announce/report-details.ts",
    "workers/evaluate/supersede.ts",
    "workers/evaluate/write-decision.ts",
  ],
  Action: ["src/api/why.ts", "workers/deliver/gate.ts", "workers/evaluate/target.ts"],
  Verdict: ["src/delivery/decide.ts", "src/delivery/gate.ts"],
};

/** Compiles the copy with one case more in each union. @returns how many errors each file has */
async function errorsByFile(copy: string): Promise<Map<string, number>> {
  let types = await readFile(join(root, DOMAIN), "utf8");
  for (const union of Object.keys(PLACES)) {
    const declaration = new RegExp(`export type ${union} =\\s*\\|?`);
    assert.match(types, declaration);
    types = types.replace(declaration, `export type ${union} = "one-more" |`);
  }
  await writeFile(join(copy, DOMAIN), types);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [tsc, "--pretty", "false"], { cwd: copy }, (_, stdout) => resolve(stdout));
  });
  const errors = new Map<string, number>();
  for (const [, file = ""] of output.matchAll(/^(\S+)\(\d+,\d+\): error/gm)) {
    errors.set(file, (errors.get(file) ?? 0) + 1);
  }
  return errors;
}

describe("A union of the domain that gains a case", function () {
  this.timeout(120_000);

  it("breaks the compilation wherever it matters, and nowhere else", async () => {
    const copy = await tempDir();
    try {
      for (const part of ["src", "workers", "package.json"])
        await cp(join(root, part), join(copy.path, part), { recursive: true });
      await symlink(join(root, "node_modules"), join(copy.path, "node_modules"));
      const config = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8")) as Record<string, object>;
      const compilerOptions = { ...config.compilerOptions, types: ["node"] };
      await writeFile(
        join(copy.path, "tsconfig.json"),
        JSON.stringify({ compilerOptions, include: ["src", "workers"], exclude: config.exclude }),
      );
      const errors = await errorsByFile(copy.path);
      const places = Object.values(PLACES).flat();
      assert.deepEqual([...errors.keys()].sort(), [...new Set(places)].sort());
      for (const [file, count] of errors) {
        const unions = places.filter((place) => place === file).length;
        assert.ok(count >= unions, `${file} has ${count} errors for ${unions} unions`);
      }
    } finally {
      await copy.remove();
    }
  });
});
