import assert from "node:assert/strict";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Answer } from "./support.ts";

interface OpenApi {
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >;
  components: object;
}

/** Holds an answer to the OpenAPI document. @throws AssertionError if it differs */
export type AnswerCheck = (method: string, path: string, answer: Answer) => void;

/**
 * Reads an OpenAPI document as a client does, and shares no code with what made it. A path of the API must be in the document,
 * unless there is none.
 */
export function answerCheck(document: OpenApi): AnswerCheck {
  const ajv = new Ajv.default({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: "document", components: document.components });
  const validators = new Map<object, ReturnType<typeof ajv.compile>>();
  const validatorOf = (schema: object) => {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    const known = validators.get(schema) ?? ajv.compile(JSON.parse(text));
    validators.set(schema, known);
    return known;
  };
  const templates = Object.keys(document.paths)
    // The one with more text is the one that is meant.
    .sort((a, b) => b.replace(/\{\w+\}/g, "").length - a.replace(/\{\w+\}/g, "").length)
    .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+?")}$`) }));
  return (method, path, { status, headers, text }) => {
    const plain = path.replace(/[?#].*$/s, "");
    if (!plain.startsWith("/api/") || !["GET", "HEAD", "POST"].includes(method)) return;
    const found = templates.find(({ pattern }) => pattern.test(plain));
    const operation = found && document.paths[found.path]?.[method === "HEAD" ? "get" : method.toLowerCase()];
    if (operation === undefined)
      return assert.ok([400, 404].includes(status), `${method} ${plain} is ${status} and not in the document`);
    // No body is sent for these.
    if (status === 304 || method === "HEAD") return;
    const { content = {} } = operation.responses[status === 206 ? 200 : status] ?? {};
    const type = (headers["content-type"] ?? "").replace(/;.*/, "");
    const schema = content[type]?.schema;
    assert.ok(schema !== undefined, `${method} ${plain} answers ${status} ${type}, and the document does not say so`);
    if (!type.endsWith("json")) return;
    const isValid = validatorOf(schema);
    assert.ok(isValid(JSON.parse(text)), `${method} ${plain} ${status}: ${ajv.errorsText(isValid.errors)}\n${text}`);
  };
}
