import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { sourceFiles } from "../../../scripts/imports.ts";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { anchorsOf, blocksOf, documents, linksOf, root, textOf } from "./pages.ts";

/** What a server's file needs besides the part that an example shows. */
const NEEDED: Record<string, string> = {
  hosts: 'hosts: { github: { type: github, webhookSecret: "0123456789abcdef" } }\n',
  repos: "repos: [acme/*]\n",
};

const COMMANDS = new Set(
  [...textOf("docs/reference/command-line.md").matchAll(/^\| `deliverd ([a-z]+)/gm)].map(nameOf),
);

describe("The documents", () => {
  it("are found", () => {
    assert.ok(documents.includes("README.md") && documents.includes("docs/reference/registries/oci.md"));
    assert.ok(COMMANDS.has("start") && COMMANDS.has("pull"));
  });

  it("are all linked from another document", () => {
    const linked = new Set(
      documents.flatMap((document) =>
        linksOf(textOf(document)).map(({ path }) => normalize(join(dirname(document), path))),
      ),
    );
    const alone = documents.filter((document) => document.startsWith("docs/") && !linked.has(document));
    assert.deepEqual(
      alone.filter((document) => document !== "docs/README.md"),
      [],
    );
  });

  it("that the code names exist", () => {
    const named = ["Dockerfile", "docker-compose.yml", ...sourceFiles(root)].flatMap((file) => {
      const paths = readFileSync(join(root, file), "utf8").matchAll(/(?<![\w/.-])docs\/[\w./-]*\w/g);
      return [...paths].map(([path]) => `${file}: ${path}`);
    });
    assert.ok(named.length > 0, "no path was found: the search is broken");
    assert.deepEqual(
      named.filter((each) => !existsSync(join(root, each.slice(each.indexOf(": ") + 2)))),
      [],
    );
  });

  for (const document of documents) {
    const text = textOf(document);

    it(`${document} links to existing files and headings`, () => {
      const dead = linksOf(text).filter(({ path, anchor }) => {
        const target = path === "" ? join(root, document) : join(root, dirname(document), path);
        return !existsSync(target) || (anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor));
      });
      assert.deepEqual(
        dead.map(({ link }) => link),
        [],
      );
    });

    it(`${document} names only existing scripts, commands and files`, () => {
      const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
      const named = [...text.matchAll(/npm run ([a-z][a-z-]*)/g)].map(nameOf);
      assert.deepEqual(
        named.filter((name) => !Object.hasOwn(scripts, name)),
        [],
      );
      const commands = [...text.matchAll(/(?:`|^ {4}(?:docker[- ].*exec \S+ )?)deliverd ([a-z]+)\b(?!:)/gm)].map(
        nameOf,
      );
      assert.deepEqual(
        commands.filter((name) => !COMMANDS.has(name)),
        [],
      );
      const paths = [...text.matchAll(/`((?:src|test|workers|scripts|schemas|docs|bench)\/[\w./-]+)`/g)].map(nameOf);
      assert.deepEqual(
        paths.filter((path) => !existsSync(join(root, path))),
        [],
      );
    });

    for (const [index, example] of blocksOf(text, "yaml").entries()) {
      it(`${document} has a valid configuration (${index + 1})`, async () => {
        if (example.startsWith("# .deliverd.yml\n")) parsePipeline(example);
        else await loadExample(example);
      });
    }

    for (const [index, example] of blocksOf(text, "json").entries()) {
      it(`${document} has valid JSON (${index + 1})`, () => {
        JSON.parse(example);
      });
    }
  }
});

/** `# deliverd.yml` begins a file or some of its keys, `# deliverd.yml, under <key>` what stands under one. */
async function loadExample(example: string): Promise<void> {
  const [, under] =
    /^# deliverd\.yml(?:, under (\w+))?\n/.exec(example) ?? assert.fail(`which file is it?\n${example}`);
  const file = under === undefined ? example : `${under}:\n${example.replace(/^/gm, "  ")}`;
  const missing = Object.entries(NEEDED).filter(([key]) => !new RegExp(`^${key}:`, "m").test(file));
  const names = [...file.matchAll(/\$\{(\w+)\}/g)].map(([, name = ""]) => [
    name,
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
  ]);
  const dir = await mkdtemp(join(tmpdir(), "dd-"));
  try {
    const path = join(dir, "deliverd.yml");
    await writeFile(path, `${file}\n${missing.map(([, text]) => text).join("")}`);
    loadServerConfig({ path, env: Object.fromEntries(names) });
  } finally {
    await rm(dir, { recursive: true });
  }
}

function nameOf([, name = ""]: RegExpMatchArray): string {
  return name;
}
