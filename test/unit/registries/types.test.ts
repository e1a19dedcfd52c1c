import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hostTypes } from "../../../src/hosts/index.ts";
import { noticeTypes } from "../../../src/notices/index.ts";
import { registryTypes } from "../../../src/registries/index.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const pages = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
  /^(?:README\.md|docs\/.*\.md)$/.test(path),
);
const rows = pages.flatMap((page) => readFileSync(`${root}/${page}`, "utf8").split("\n"));

/** Settings of each type with which it takes every kind that it ever takes. */
const FULL = { repositories: { docker: "a", maven: "a", npm: "a", pypi: "a", generic: "a" } };

describe("The types of registries", () => {
  for (const type of registryTypes.all) {
    it(`${type.type}: stands in a table of the documents with its kinds, and has a page`, () => {
      const page = `docs/reference/registries/${type.type}.md`;
      assert.ok(existsSync(`${root}/${page}`), `${page} is missing`);
      const start = new RegExp(`^\\| \\[\`${type.type}\`\\]\\((?:[^)]*registries/)?${type.type}\\.md\\) \\|`);
      const [row, ...others] = rows.filter((line) => start.test(line));
      assert.ok(row, `no table of README.md or docs/ has a row that begins with [\`${type.type}\`](…/${type.type}.md)`);
      assert.deepEqual(others, []);
      const kinds = [...(row.split("|")[2] ?? "").matchAll(/`([a-z]+)`/g)].map(([, kind]) => kind);
      assert.deepEqual(kinds.toSorted(), type.kinds({ type: type.type, ...FULL }).toSorted());
    });
  }
});

describe("The types of hosts, registries and notices", () => {
  for (const { type, schema, secrets } of [...hostTypes.all, ...registryTypes.all, ...noticeTypes.all]) {
    it(`${type}: declare as secrets exactly the settings that are secret texts`, () => {
      const unknown = schema.safeParse({ type, "?": 0 }).error?.issues.map(({ message }) => message) ?? [];
      const keys = /known are (.*)/.exec(unknown.join("\n"))?.[1]?.split(", ") ?? [];
      assert.ok(keys.includes("type"), unknown.join("\n"));
      // A number is no text: what the message of each asks for tells what each is.
      const numbers = { ...Object.fromEntries(keys.map((key) => [key, 0])), type };
      const issues = schema.safeParse(numbers).error?.issues ?? [];
      const asked = issues.filter(({ message }) => message.startsWith("a secret text")).map(({ path }) => path[0]);
      assert.deepEqual(asked.toSorted(), secrets.toSorted());
    });
  }
});
