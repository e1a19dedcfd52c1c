import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "../../../scripts/imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const KINDS: Record<string, string> = {
  UserError: "user",
  Refused: "refused",
  TransientError: "transient",
  ConfigError: "config",
};

describe("docs/reference/errors", () => {
  const code = codesInCode();
  const docs = codesInDocs(`${root}/docs/reference/errors`);

  it("lists every code that deliverd can give", () => {
    assert.ok(code.size > 80, `only ${code.size} codes were found: the search is broken`);
    assert.deepEqual([...code.keys()].filter((each) => !docs.has(each)).sort(), []);
  });

  it("lists no code that deliverd cannot give", () => {
    assert.deepEqual([...docs.keys()].filter((each) => !code.has(each)).sort(), []);
  });

  it("lists only codes that a test causes and names", () => {
    const tests = readdirSync(`${root}/test`, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.startsWith("support/") && !path.endsWith("docs/errors.test.ts"))
      .map((path) => readFileSync(`${root}/test/${path}`, "utf8"))
      .join("\n");
    // As a string of its own, or as `<kind of error> <code>`.
    const isNamed = (each: string) => new RegExp(`["'\`/]${each}["'\`/]|Error ${each}["'\`]`).test(tests);
    assert.deepEqual(
      [...docs.keys()].filter((each) => !isNamed(each)),
      [],
    );
  });

  it("says of each code what happened in its own words, and what to do", () => {
    const entries = readdirSync(`${root}/docs/reference/errors`)
      .filter((page) => page !== "README.md")
      .flatMap((page) =>
        readFileSync(`${root}/docs/reference/errors/${page}`, "utf8")
          .split(/^- (?=`)/m)
          .slice(1),
      );
    const meanings = entries.map((entry) => entry.replace(/\s+/g, " ").replace(/^`[a-z-]+` \([a-z, ]+\): /, ""));
    assert.ok(meanings.length > 100);
    assert.deepEqual(
      meanings.filter((meaning) => !/ \*\*Do:\*\* [^ ]/.test(meaning)),
      [],
    );
    const happened = meanings.map((meaning) => meaning.split(" **Do:**")[0]);
    assert.deepEqual(
      happened.filter((meaning, index) => happened.indexOf(meaning) < index),
      [],
    );
  });

  it("gives the kind of each code", () => {
    const wrong = [...docs].filter(([each, kinds]) => {
      const known = code.get(each) ?? new Set();
      return kinds.size !== known.size || [...kinds].some((kind) => !known.has(kind));
    });
    assert.deepEqual(
      wrong.map(([each, kinds]) => `${each}: ${[...kinds]} instead of ${[...(code.get(each) ?? [])]}`),
      [],
    );
  });
});

/** Each code with its kinds: whatever stands as the first argument where an error of ours is made. */
function codesInCode(): Map<string, Set<string>> {
  const codes = new Map<string, Set<string>>();
  for (const file of sourceFiles(root)) {
    const text = readFileSync(`${root}/${file}`, "utf8");
    for (const { 1: kind = "", 2: argument = "" } of text.matchAll(
      /new (UserError|Refused|TransientError|ConfigError)\(\s*([^,]+),/g,
    )) {
      for (const found of literalsOf(argument.trim(), text)) {
        codes.set(found, (codes.get(found) ?? new Set()).add(KINDS[kind] ?? ""));
      }
    }
  }
  return codes;
}

/** A code is written where it is thrown, or given by a name: then it is one of the words with dashes of the same file. */
function literalsOf(argument: string, text: string): string[] {
  const written = argument.match(/(?<=")[a-z]+(?:-[a-z]+)+(?=")/g);
  if (written) return written;
  if (argument !== "code") return [];
  const others = new Set([...text.matchAll(/new \w+\(\s*"([a-z-]+)"/g)].map((match) => match[1] ?? ""));
  return (text.match(/(?<=[^[]")[a-z]+(?:-[a-z]+)+(?=")/g) ?? []).filter((word) => !others.has(word));
}

function codesInDocs(folder: string): Map<string, Set<string>> {
  const pages = readdirSync(folder).map((page) => readFileSync(`${folder}/${page}`, "utf8"));
  const items = pages.flatMap((page) => [...page.matchAll(/^- `([a-z-]+)` \(([a-z, ]+)\): /gm)]);
  const codes = new Map(items.map(([, code = "", kinds = ""]) => [code, new Set(kinds.split(", "))]));
  assert.equal(codes.size, items.length, "a code has two entries");
  return codes;
}
