import { z } from "zod";
import { pipelineSchema } from "./pipeline-schema.ts";
import { serverSchema } from "./server-schema.ts";

/** The JSON Schemas of what may be written in the two files, for editors, by their names under `schemas/`. */
export function jsonSchemas(): Record<string, string> {
  return {
    "server.schema.json": textOf(serverSchema, "deliverd server configuration"),
    "pipeline.schema.json": textOf(pipelineSchema, "deliverd pipeline (.deliverd.yml)"),
  };
}

function textOf(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
