import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceFiles } from "../../../scripts/imports.ts";
import { jsonSchemas } from "../../../src/config/json-schema.ts";
import { codeIn, commandsOf, documents, root, rowsOf, textOf } from "./pages.ts";

/** What users read, without the history. */
const pages = documents.filter((page) => page !== "CHANGELOG.md" && !page.startsWith("docs/decisions/"));
const sources = sourceFiles(root).map((file) => readFileSync(join(root, file), "utf8"));
const code = sources.join("\n");

/** Names of other programs that look like ours. */
const FOREIGN = new Set(["docker.io", "build.name", "build.number", "build.timestamp", "aws-sdk"]);

/** Blocks that are no commands: the page and heading, and what they are. */
const NO_COMMANDS: Record<string, string> = {
  "docs/guides/development.md, Folders": "a list of folders",
  "docs/guides/operations/network.md, TLS": "a configuration of nginx",
  "docs/guides/receive-notices.md, Verify it": "JavaScript",
  "docs/guides/register-webhooks.md, Register one": "what a command prints",
};

describe("The names in the documents", () => {
  it("of environment variables are read by the code, the image, the Compose file or the tests", () => {
    const scripts = ["scripts", "bench", "test/support"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => /\.(?:ts|mjs|sh)$/.test(path))
        .map((path) => `${folder}/${path}`),
    );
    const readers = ["Dockerfile", "docker-compose.yml", ...scripts].map((path) =>
      readFileSync(join(root, path), "utf8"),
    );
    const known = [code, ...readers].join("\n");
    const named = mentions(/\b((?:DELIVERD|GITHUB)_[A-Z][A-Z_]*[A-Z])\b/g);
    assert.ok(named.length > 30, "the search is broken");
    // `NAME_FILE` holds for every secret. A sample may name the secrets of its own as it likes.
    const isKnown = (name: string) => known.includes(name.replace(/_FILE$/, "")) || /^GITHUB_(?:LAB|GHE)/.test(name);
    assert.deepEqual(unknown(named, isKnown), []);
  });

  it("of options belong to a command of deliverd", () => {
    const options = new Set([...code.matchAll(/"(?:-\w, )?(--[a-z][a-z-]*)/g)].map(([, option]) => option));
    assert.ok(options.has("--config") && options.has("--follow"));
    const calls = pages.flatMap((page) =>
      [...textOf(page).matchAll(/(?:^ {4}|`|exec \S+ )deliverd ([a-z]+)([^`\n|]*)/gm)].flatMap(
        ([, command, rest = ""]) =>
          [...rest.matchAll(/ (--[a-z][a-z-]*)/g)].map(([, option = ""]) => [page, `${option}`, command]),
      ),
    );
    const rows = rowsOf(textOf("docs/reference/command-line.md")).flatMap((cells) =>
      codeIn(cells.slice(1).join(" ")).filter((each) => each.startsWith("--")),
    );
    const named = [...calls.map(([, option = ""]) => option), ...rows.map((each) => each.split(/[ =]/)[0] ?? "")];
    assert.ok(named.length > 10, "the search is broken");
    assert.deepEqual(
      named.filter((option) => !options.has(option) && !["--help", "--version"].includes(option)),
      [],
    );
  });

  it("of keys with dots stand in one of the two configuration files", () => {
    const known = configurationPaths();
    const first = new Set([...known].map((path) => path.split(".")[0] ?? ""));
    const named = mentions(/`([a-z][A-Za-z]*(?:\.(?:<[a-z]+>|[a-z][A-Za-z]*))+)`/g).filter(
      ([page, path]) =>
        page !== "docs/explanation/crashes.md" &&
        first.has(path.split(".")[0] ?? "") &&
        !/\.(?:md|ts|db|yml|json|lock|gradle|kts)$/.test(path) &&
        !FOREIGN.has(path),
    );
    assert.ok(named.length > 20, "the search is broken");
    assert.deepEqual(
      unknown(named, (path) => known.has(path.replace(/^(hosts|registries)\.(?:<[a-z]+>|[a-z]+)/, "$1.<>"))),
      [],
    );
  });

  it("of metrics are those that the code counts", () => {
    const known = new Set([...code.matchAll(/"(deliverd_[a-z_]+)"/g)].map(([, name = ""]) => name));
    const named = mentions(/\b(deliverd_[a-z_]+[a-z])\b/g);
    assert.ok(named.length > 5, "the search is broken");
    assert.deepEqual(
      unknown(named, (name) => known.has(name) || known.has(name.replace(/_(?:bucket|sum|count)$/, ""))),
      [],
    );
  });

  it("of routes are served", () => {
    const routes = [...textOf("docs/reference/http-api.md").matchAll(/^\| `[A-Z]+ (\/[^`]*)` \|/gm)].map(
      ([, path = ""]) => new RegExp(`^${path.replace(/:[a-z]+/g, "[^/]+")}$`),
    );
    const named = mentions(
      /`(?:(?:GET|POST) )?(?:<publicUrl>|https:\/\/deliverd\.example\.com)?(\/(?:api|webhooks|deliveries|healthz|readyz|metrics|sign-in)\b[^`\s?[]*)/g,
    );
    assert.ok(named.length > 10, "the search is broken");
    assert.deepEqual(
      unknown(named, (path) => path.includes("…") || path.endsWith("/") || routes.some((route) => route.test(path))),
      [],
    );
  });

  it("of errors are codes with an entry of their own", () => {
    const folder = join(root, "docs/reference/errors");
    const entries = readdirSync(folder).flatMap((page) => [
      ...readFileSync(join(folder, page), "utf8").matchAll(/^- `([a-z-]+)` \(/gm),
    ]);
    const known = new Set(entries.map(([, entry = ""]) => entry));
    const named = mentions(/\(`([a-z]+(?:-[a-z]+)+)`/g).filter(([page]) => page.startsWith("docs/reference/"));
    assert.ok(known.size > 100 && named.length > 10, "the search is broken");
    assert.deepEqual(
      unknown(named, (name) => known.has(name) || FOREIGN.has(name)),
      [],
    );
  });

  it("of files in the data directory are those that the code makes", () => {
    const table =
      documents.map(textOf).find((text) => text.includes("| in `dataDir` |")) ?? assert.fail("no such table");
    const [, rows = ""] = table.split("| in `dataDir` |");
    const names = rowsOf(rows.split("\n\n")[0] ?? "").flatMap(([cell = ""]) => codeIn(cell));
    assert.ok(names.includes("ledger.db") && names.includes("tmp/"));
    const parts = names.map((name) => name.replace(/\/$/, "").replace(/^\*/, "").replace(/-…$/, ""));
    assert.deepEqual(
      parts.filter((name) => !code.includes(name)),
      [],
    );
  });
});

describe("A block of commands in the documents", () => {
  for (const page of pages.filter((each) => !each.startsWith("docs/explanation/"))) {
    for (const { heading, commands } of commandsOf(textOf(page))) {
      if (`${page}, ${heading}` in NO_COMMANDS) continue;

      it(`is understood by a shell: ${page}, "${heading}", ${commands[0]}`, () => {
        // `<sha>` stands for what a person puts there.
        const script = commands.join("\n").replace(/<([A-Za-z][\w .-]*)>/g, "PLACEHOLDER");
        const { status, stderr } = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
        assert.equal(status, 0, stderr);
      });
    }
  }
});

/** Each page with what it names in this form. */
function mentions(form: RegExp): [page: string, name: string][] {
  return pages.flatMap((page) =>
    [...textOf(page).matchAll(form)].map(([, name = ""]): [string, string] => [page, name]),
  );
}

function unknown(named: [string, string][], isKnown: (name: string) => boolean): string[] {
  return [...new Set(named.filter(([, name]) => !isKnown(name)).map(([page, name]) => `${page}: ${name}`))];
}

/** Paths of keys as documents write them: `docker.intake.listen`, `hosts.<>.token`; of an artifact also `build.run`. */
function configurationPaths(): Set<string> {
  const paths = new Set<string>();
  const walk = (schema: unknown, at: string) => {
    if (typeof schema !== "object" || schema === null) return;
    const { properties, additionalProperties, items, anyOf, oneOf, allOf } = schema as Record<string, unknown>;
    for (const [key, value] of Object.entries(properties ?? {})) {
      const path = at === "" ? key : `${at}.${key}`;
      paths.add(path);
      walk(value, path);
    }
    walk(additionalProperties, `${at}.<>`);
    walk(items, at);
    for (const forms of [anyOf, oneOf, allOf]) for (const form of Array.isArray(forms) ? forms : []) walk(form, at);
  };
  for (const schema of Object.values(jsonSchemas())) walk(JSON.parse(schema), "");
  for (const path of [...paths]) paths.add(path.replace(/^(?:artifacts|repos|notices)\.(?=.+\.)/, ""));
  return paths;
}
