import * as z from "zod";
import { pipelineSchema } from "./pipeline-schema.ts";
import { serverSchema } from "./server-schema.ts";

/** The JSON Schemas of what may be written in the two files, for editors, by their names under `schemas/`. */
export function jsonSchemas(): Record<string, string> {
  const server = z.toJSONSchema(serverSchema, { io: "input", override: allowReferences });
  const pipeline = z.toJSONSchema(pipelineSchema, { io: "input" });
  return {
    "server.schema.json": textOf(server, "deliverd server configuration"),
    "pipeline.schema.json": textOf(pipeline, "deliverd pipeline (.deliverd.yml)"),
  };
}

/** An editor sees the server's file before `${NAME}` is replaced, so no form of a text may rule that out. */
function allowReferences({ jsonSchema, path }: { jsonSchema: z.core.JSONSchema.BaseSchema; path: unknown[] }): void {
  if (jsonSchema.pattern === undefined || path.at(-1) === "propertyNames") return;
  jsonSchema.pattern = `${jsonSchema.pattern}|\\$\\{[^}]+\\}`;
}

function textOf({ $schema, ...rest }: z.core.JSONSchema.BaseSchema, title: string): string {
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
