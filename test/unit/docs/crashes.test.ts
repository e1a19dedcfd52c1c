import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "../../../scripts/imports.ts";
import { LINE } from "../../../workers/deliver/line.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const page = readFileSync(join(root, "docs/explanation/crashes.md"), "utf8");

describe("docs/explanation/crashes.md", () => {
  it("has the steps of a delivery as workers/deliver/line.ts declares them", () => {
    const steps = Object.values(LINE);
    const rows = [
      ...steps.map(({ failpoint, needs, records }) => `| \`${failpoint}\` | ${needs} | ${records} |`),
      ...steps.map(({ failpoint, crash }) => `| \`${failpoint}\` | ${crash} |`),
    ];
    const shown = page.split("\n").filter((line) => rows.includes(line));
    assert.deepEqual(shown, rows);
  });

  it("has every place at which a test can kill the process, once, and no other", () => {
    const literals = sourceFiles(root).flatMap((file) => {
      const text = readFileSync(join(root, file), "utf8");
      const calls = [...text.matchAll(/\bfailpoint\(([^)]*)\)/g)].map(([, argument = ""]) => argument);
      return calls.flatMap((argument) => [...argument.matchAll(/"([a-z.-]+)"/g)].map(([, name = ""]) => name));
    });
    const steps = Object.values(LINE).map(({ failpoint }) => failpoint);
    const shown = [...page.matchAll(/^\| `([a-z]+\.[a-z-]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, name = ""]) => name);
    assert.deepEqual(shown.toSorted(), [...new Set([...literals, ...steps])].toSorted());
  });
});
