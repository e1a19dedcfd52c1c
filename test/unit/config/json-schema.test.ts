import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { jsonSchemas } from "../../../src/config/json-schema.ts";

describe("the JSON Schemas", () => {
  for (const [name, text] of Object.entries(jsonSchemas())) {
    it(`schemas/${name} is what the code says; else run npx tsx scripts/schemas.ts`, () => {
      assert.equal(readFileSync(new URL(`../../../schemas/${name}`, import.meta.url), "utf8"), text);
    });
  }

  it("describe every key, on one line that ends as a sentence", () => {
    for (const [name, text] of Object.entries(jsonSchemas())) {
      const keys = keysOf(JSON.parse(text), name);
      assert.ok(keys.length > 30, `${name} has ${keys.length} keys`);
      assert.deepEqual(
        keys.filter(({ description }) => !/^\S[^\n]*\.$/.test(description)),
        [],
      );
    }
  });

  it("take the examples of the documentation, and no unknown key", () => {
    const ajv = new Ajv2020({ strict: false });
    const docs = ["configuration.md", "pipeline.md"]
      .map((page) => readFileSync(new URL(`../../../docs/reference/${page}`, import.meta.url), "utf8"))
      .join("");
    const blocks = [...docs.matchAll(/^```yaml\n(# (\S+)[^\n]*\n[\s\S]*?)^```$/gm)];
    const files: Record<string, string> = {
      "deliverd.yml": "server.schema.json",
      ".deliverd.yml": "pipeline.schema.json",
    };
    for (const [, block = "", file = ""] of blocks) {
      const validate = ajv.compile(JSON.parse(jsonSchemas()[files[file] ?? ""] ?? "false"));
      assert.ok(validate(parse(block)), `${block}\n${ajv.errorsText(validate.errors)}`);
      assert.ok(!validate({ ...parse(block), unknown: 1 }));
    }
    assert.ok(blocks.length >= 2);
  });
});

/** Every key in a JSON Schema with its description, however deep. */
function keysOf(schema: unknown, path: string): { path: string; description: string }[] {
  if (typeof schema !== "object" || schema === null) return [];
  const properties = Reflect.get(schema, "properties") ?? {};
  const own = Object.entries(properties).map(([key, value]) => {
    const description = String(Reflect.get(Object(value), "description") ?? "");
    return { path: `${path}.${key}`, description };
  });
  return [...own, ...Object.entries(schema).flatMap(([key, value]) => keysOf(value, `${path}.${key}`))];
}
