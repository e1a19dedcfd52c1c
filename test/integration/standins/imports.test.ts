import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir } from "../../support/processes/process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const fronts = [
  "test/support/hosts/github/github.ts",
  "test/support/hosts/git-server.ts",
  "test/support/fixtures/sample-repo.ts",
];
const packages = ["ajv", "ajv-formats", "@octokit/webhooks-examples"];

describe("The imports of the GitHub stand-in", () => {
  it("lead only to Node, a validator and GitHub's data: to nothing that deliverd or its tests use", async () => {
    const reached = await reachedFrom(fronts.map((front) => join(root, front)));

    assert.ok(reached.files.length > fronts.length, "the walk must have followed imports");
    assert.deepEqual(
      reached.files.map((file) => relative(root, file)).filter((file) => !file.startsWith("test/support/")),
      [],
    );
    assert.deepEqual(
      reached.packages.filter((name) => !name.startsWith("node:") && !packages.includes(name)),
      [],
    );
  });

  it("are found in whatever form they are written", async () => {
    const dir = await tempDir();
    try {
      const lines = [
        `import "./a.ts";`,
        `export * from './b.ts';`,
        `await import("./c.ts");`,
        `require("./d.ts");`,
        `createRequire(import.meta.url)("./e.ts");`,
      ];
      for (const name of "abcde") await writeFile(join(dir.path, `${name}.ts`), "");
      await writeFile(join(dir.path, "front.ts"), lines.join("\n"));

      const { files } = await reachedFrom([join(dir.path, "front.ts")]);

      assert.deepEqual(files.map((file) => relative(dir.path, file)).sort(), [
        "a.ts",
        "b.ts",
        "c.ts",
        "d.ts",
        "e.ts",
        "front.ts",
      ]);
    } finally {
      await dir.remove();
    }
  });
});

async function reachedFrom(files: string[]): Promise<{ files: string[]; packages: string[] }> {
  const seen = new Set<string>();
  const names = new Set<string>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const source = await readFile(file, "utf8");
    for (const [, name = ""] of source.matchAll(/(?:from|import|\bimport\(|\)\(|require\()\s*["']([^"'\n]+)["']/g)) {
      if (name.startsWith(".")) waiting.push(join(dirname(file), name));
      else names.add(name);
    }
  }
  return { files: [...seen], packages: [...names] };
}
