import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { codeIn, linksOf, root, rowsOf, textOf } from "./pages.ts";

const runbook = textOf("docs/guides/operations/runbook.md");
const pages = readdirSync(join(root, "docs/reference/errors")).filter((page) => page.endsWith(".md"));
const codesOf = (page: string) =>
  [...textOf(`docs/reference/errors/${page}`).matchAll(/^- `([a-z0-9-]+)` \(/gm)].map(([, code = ""]) => code);

describe("docs/guides/operations/runbook.md", () => {
  it("has a line for every error code, or links to the page that has it", () => {
    const linked = new Set(linksOf(runbook).map(({ path }) => path));
    const named = new Set(codeIn(runbook));
    const missing = pages
      .filter((page) => !linked.has(`../../reference/errors/${page}`))
      .flatMap(codesOf)
      .filter((code) => !named.has(code));
    assert.deepEqual(missing, []);
  });

  it("names only codes that exist", () => {
    const codes = new Set(pages.flatMap(codesOf));
    const named = rowsOf(runbook).flatMap(([first = ""]) => codeIn(first));
    assert.ok(named.length > 40, `${named.length} codes`);
    assert.deepEqual(
      named.filter((code) => !codes.has(code)),
      [],
    );
  });
});
