import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceFiles } from "../../../scripts/imports.ts";
import { jsonSchemas } from "../../../src/config/json-schema.ts";
import { hostTypes } from "../../../src/hosts/index.ts";
import { registryTypes } from "../../../src/registries/index.ts";
import { codeIn, documents, root, rowsOf, textOf } from "./pages.ts";

/** Settings with which a type takes every kind that it can take. */
const EVERY_KIND = { repositories: { docker: "a", maven: "a", npm: "a", pypi: "a", generic: "a" } };

describe("docs/reference/metrics.md", () => {
  it("lists every metric with its type, and no other", () => {
    const served = sourceFiles(root).flatMap((file) => {
      const made = readFileSync(join(root, file), "utf8").matchAll(/\.(counter|gauge|histogram)\(\s*"([a-z_]+)"/g);
      return [...made].map(([, type = "", name = ""]) => `${name} ${type}`);
    });
    const listed = rowsOf(textOf("docs/reference/metrics.md")).map(
      ([name = "", type = ""]) => `${codeIn(name)} ${type}`,
    );
    assert.deepEqual(listed.sort(), served.sort());
  });
});

describe("docs/reference/registries/README.md", () => {
  const index = textOf("docs/reference/registries/README.md");

  it("lists every type of registry with its page and its kinds, and no other", () => {
    const rows = rowsOf(index).filter(([type = ""]) => type.startsWith("["));
    const listed = rows.map(([type = "", kinds = ""]) => `${type} ${codeIn(kinds).sort()}`);
    const declared = registryTypes.all.map(({ type, kinds }) => {
      return `[\`${type}\`](${type}.md) ${kinds({ type, ...EVERY_KIND }).toSorted()}`;
    });
    assert.deepEqual(listed.sort(), declared.sort());
  });
});

describe("docs/reference/hosts/README.md", () => {
  it("lists every type of git host with its page, and no other, as README.md does", () => {
    const declared = hostTypes.all.map(({ type }) => type).sort();
    const pages = readdirSync(join(root, "docs/reference/hosts"));
    for (const document of ["docs/reference/hosts/README.md", "README.md"]) {
      const text = textOf(document);
      const listed = declared.filter((type) => new RegExp(`^\\|.*\`${type}\`.*\\(.*${type}\\.md`, "m").test(text));
      assert.deepEqual(listed, declared, document);
    }
    assert.deepEqual(
      declared.filter((type) => !pages.includes(`${type}.md`)),
      [],
    );
  });
});

describe("docs/decisions", () => {
  const pages = documents.filter((document) => /^docs\/decisions\/\d/.test(document));
  const index = textOf("docs/decisions/README.md");

  it("has decisions with consecutive numbers", () => {
    const numbers = pages.map((page) => Number(page.slice("docs/decisions/".length).slice(0, 4)));
    assert.ok(numbers.length >= 65);
    assert.deepEqual(
      numbers,
      numbers.map((_, at) => at + 1),
    );
  });

  it("lists each decision under its number and title", () => {
    const listed = [...index.matchAll(/^- \[(\d{4})\]\((\S+)\): (.+)$/gm)];
    assert.deepEqual(
      listed.map(([, number, path, title]) => [`docs/decisions/${path}`, `# ${number}: ${title}`]),
      pages.map((page) => [page, textOf(page).split("\n", 1)[0]]),
    );
  });

  it("gives each decision a context, a decision and a consequence", () => {
    for (const page of pages) {
      const headings = [...textOf(page).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      assert.deepEqual(headings, ["Context", "Decision", "Consequence"], page);
    }
  });
});

describe("The figures of README.md", () => {
  it("are those of docs/explanation/performance/figures.md", () => {
    const [, section = ""] = textOf("README.md").split("## Figures");
    const figures = [...section.matchAll(/\| ([\d.]+) s(?= \|)/g)].map(([, figure = ""]) => figure);
    const known = textOf("docs/explanation/performance/figures.md");
    assert.ok(figures.length >= 12, `${figures.length} figures`);
    assert.deepEqual(
      figures.filter((figure) => !known.includes(` ${figure} (`)),
      [],
    );
  });
});

describe("docs/reference", () => {
  it("names every key of both configuration files", () => {
    const pages = documents.filter((document) =>
      /^docs\/reference\/(?:configuration|pipeline|registries\/.*)\.md$/.test(document),
    );
    const text = pages.map(textOf).join("\n");
    const keys = Object.values(jsonSchemas()).flatMap((schema) => keysOf(JSON.parse(schema)));
    assert.ok(keys.length > 80, `${keys.length} keys`);
    assert.deepEqual(
      [...new Set(keys)].filter((key) => !new RegExp(`(?<![\\w-])${key}(?![\\w-])`).test(text)),
      [],
    );
  });
});

describe("docs/explanation/architecture.md", () => {
  it("lists every room of src and workers, and no other", () => {
    const house = textOf("docs/explanation/architecture.md").split("\n");
    const listed = house.flatMap((line) => {
      const [, room = "", inWorkers = ""] = /^ {4}(src\/[a-z]+)\/ |^ {6}([a-z]+)\/ /.exec(line) ?? [];
      return [...(room === "" ? [] : [room]), ...(inWorkers === "" ? [] : [`workers/${inWorkers}`])];
    });
    const rooms = ["src", "workers"].flatMap((folder) =>
      readdirSync(join(root, folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${folder}/${name}`),
    );
    assert.deepEqual(listed.sort(), rooms.sort());
  });
});

/** The names of all properties in a JSON Schema, however deep. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = "properties" in schema && !Array.isArray(schema) ? Object.keys(schema.properties ?? {}) : [];
  return [...own, ...Object.values(schema).flatMap(keysOf)];
}
