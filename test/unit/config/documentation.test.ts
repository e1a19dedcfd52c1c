import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { planOf } from "../../../src/delivery/plan.ts";

const IMAGES = {
  kinds: ["image"],
  names: new Map([["image", { shelving: "package", place: "hub" }]] as const),
} as const;

const text = ["configuration.md", "pipeline.md"]
  .map((page) => readFileSync(new URL(`../../../docs/reference/${page}`, import.meta.url), "utf8"))
  .join("");
const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
const examplesOf = (file: string) => blocks.filter((block) => block.startsWith(`# ${file}\n`));

describe("The reference of both configuration files", () => {
  it("says of every example which file it is", () => {
    assert.equal(examplesOf("deliverd.yml").length + examplesOf(".deliverd.yml").length, blocks.length);
    assert.ok(examplesOf("deliverd.yml").length > 0 && examplesOf(".deliverd.yml").length > 0);
  });

  for (const [index, example] of examplesOf("deliverd.yml").entries()) {
    it(`has a server's file that is taken as it stands (${index + 1})`, async () => {
      const dir = await mkdtemp(join(tmpdir(), "dd-"));
      try {
        const path = join(dir, "deliverd.yml");
        await writeFile(path, example);
        const names = [...example.matchAll(/\$\{(\w+)\}/g)].map(([, name = ""]) => name);
        loadServerConfig({
          path,
          env: Object.fromEntries(names.map((name) => [name, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"])),
        });
      } finally {
        await rm(dir, { recursive: true });
      }
    });
  }

  for (const [index, example] of examplesOf(".deliverd.yml").entries()) {
    it(`has a pipeline that is taken as it stands (${index + 1})`, () => {
      parsePipeline(example);
    });
  }

  it("tells the default pipeline as it is", () => {
    const [example = ""] = examplesOf(".deliverd.yml");
    const order = {
      hasDockerfile: true,
      repo: { owner: "acme", name: "api", defaultBranch: "main" },
      bounds: { match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} },
      registries: { hub: { type: "docker-hub", isDefault: true, ...IMAGES } },
    };
    const told = planOf({ ...order, pipeline: parsePipeline(example) });
    const real = planOf({ ...order, pipeline: null });
    assert.ok("plan" in told && "plan" in real);
    assert.deepEqual({ ...told.plan, isDefault: true }, real.plan);
  });
});
