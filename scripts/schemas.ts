/** Writes the JSON Schemas of the configuration to `schemas/`; with `--check`, fails where they are not up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { jsonSchemas } from "../src/config/json-schema.ts";

const check = process.argv.includes("--check");
for (const [name, text] of Object.entries(jsonSchemas())) {
  const file = new URL(`../schemas/${name}`, import.meta.url);
  if (!check) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    console.error(`schemas/${name} is not what the code says: run npx tsx scripts/schemas.ts and commit it`);
    process.exitCode = 1;
  }
}
