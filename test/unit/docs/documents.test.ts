import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { loadServerConfig } from "../../../src/config/server.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].sort();

/** What a server's file needs besides the part that an example shows. */
const NEEDED: Record<string, string> = {
  hosts: 'hosts: { github: { type: github, webhookSecret: "0123456789abcdef" } }\n',
  repos: "repos: [acme/*]\n",
};

describe("The documents", () => {
  it("are there", () => {
    assert.ok(
      documents.includes("README.md") && documents.includes("docs/reference/registries/oci.md"),
      documents.join(", "),
    );
  });

  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");

    it(`${document} links to what is there`, () => {
      const links = [...withoutCode(text).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
      const dead = links.filter(([, path = "", anchor]) => {
        const target = path === "" ? join(root, document) : join(root, dirname(document), path);
        return !existsSync(target) || (anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor));
      });
      assert.deepEqual(
        dead.map(([link]) => link),
        [],
      );
    });

    it(`${document} names only scripts and files that are there`, () => {
      const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
      const named = [...text.matchAll(/npm run ([a-z][a-z-]*)/g)].map(([, name = ""]) => name);
      assert.deepEqual(
        named.filter((name) => !Object.hasOwn(scripts, name)),
        [],
      );
      const paths = [...text.matchAll(/`((?:src|test|workers|scripts|schemas|docs|bench)\/[\w./-]+)`/g)];
      assert.deepEqual(
        paths.map(([, path = ""]) => path).filter((path) => !existsSync(join(root, path))),
        [],
      );
    });

    for (const [index, example] of yamlOf(text).entries()) {
      it(`${document} has a configuration that is taken as it stands (${index + 1})`, async () => {
        if (example.startsWith("# .deliverd.yml\n")) parsePipeline(example);
        else await loadExample(example);
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

function yamlOf(text: string): string[] {
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "").replace(/^ {4}.*$/gm, "");
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
