import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { Ajv, type ValidateFunction } from "ajv";
import ajvFormats from "ajv-formats";
import { isObject, type Json, type JsonObject, objectAt } from "./json.ts";

/** GitHub's own description of its API. scripts/github-description.mjs renews it. */
const description: JsonObject = JSON.parse(
  brotliDecompressSync(readFileSync(new URL("description.json.br", import.meta.url))).toString(),
);

const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false });
ajvFormats.default(ajv);

/** Compiling is slow, and a run needs few of the description's 1,000 operations. */
const compiled = new Map<string, ValidateFunction>();

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** GitHub's own example of that name. A fresh copy on each call. */
export function example(name: string): Json {
  const value = objectAt(description, "components", "examples", name).value;
  if (value === undefined) throw new Error(`GitHub's description has no example ${name}`);
  return structuredClone(value);
}

/** Every way in which a request's query misses the description. Parameters that it does not name count as mistakes, though GitHub ignores them. */
export function queryMistakes(method: Method, template: string, query: URLSearchParams): string[] {
  const parameters = parametersOf(method, template).filter((parameter) => parameter.in === "query");
  return [...query].flatMap(([name, text]) => {
    const parameter = parameters.find((one) => one.name === name);
    if (parameter === undefined) return [`query ${name} is not a parameter of ${method} ${template}`];
    const schema = objectAt(parameter, "schema");
    const number = schema.type === "integer" || schema.type === "number";
    const value = number && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    return mistakes(`${method} ${template} query ${name}`, schema, value);
  });
}

/** Whether the operation knows a body at all. */
export function takesBody(method: Method, template: string): boolean {
  return isObject(operationOf(method, template).requestBody);
}

/** Every way in which a request's body misses the description. Members that it does not name count as mistakes, though GitHub ignores them. */
export function requestMistakes(method: Method, template: string, body: Json): string[] {
  const operation = operationOf(method, template);
  if (!isObject(operation.requestBody)) return [`${method} ${template} takes no body`];
  const schema = jsonSchemaOf(operation.requestBody);
  const known = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  const unknown = isObject(body) ? Object.keys(body).filter((key) => !known.includes(key)) : [];
  return [
    ...unknown.map((key) => `body.${key} is not a member of ${method} ${template}`),
    ...mistakes(`${method} ${template} body`, schema, body),
  ];
}

/** Every way in which an answer misses the description. A status that the operation does not list must bear GitHub's basic error. */
export function responseMistakes(method: Method, template: string, status: number, body: Json): string[] {
  const listed = objectAt(operationOf(method, template), "responses")[String(status)];
  if (status === 204 && listed !== undefined) return body === null ? [] : [`${method} ${template} 204 has no body`];
  if (listed === undefined && status < 300) return [`${method} ${template} never answers ${status}`];
  const response = isObject(listed) ? resolved(listed) : undefined;
  const schema = response?.content ? jsonSchemaOf(response) : { $ref: "#/components/schemas/basic-error" };
  return mistakes(`${method} ${template} ${status}`, schema, body);
}

/** Every way in which a webhook's payload misses the description. `name` as GitHub spells it there: `push`, `check-run-completed`. */
export function payloadMistakes(name: string, payload: Json): string[] {
  return mistakes(
    `webhook ${name}`,
    jsonSchemaOf(objectAt(description, "x-webhooks", name, "post", "requestBody")),
    payload,
  );
}

/** Events that only an app gets. */
const APP_EVENTS = ["installation", "installation_repositories", "installation_target", "github_app_authorization"];

/** Every event that a webhook of a repo can be registered for. */
export function eventNames(): Set<string> {
  const names = Object.values(objectAt(description, "x-webhooks")).map((webhook) => {
    const [name = ""] = String(objectAt(webhook, "post").operationId).split("/");
    return name.replaceAll("-", "_");
  });
  return new Set(names.filter((name) => !APP_EVENTS.includes(name)));
}

function operationOf(method: Method, template: string): JsonObject {
  return objectAt(description, "paths", template, method.toLowerCase());
}

function parametersOf(method: Method, template: string): JsonObject[] {
  const listed = operationOf(method, template).parameters;
  return Array.isArray(listed) ? listed.filter(isObject).map(resolved) : [];
}

function jsonSchemaOf(holder: JsonObject): JsonObject {
  return resolved(objectAt(holder, "content", "application/json", "schema"));
}

/** `{ $ref: "#/components/parameters/page" }` → what stands there. */
function resolved(value: JsonObject): JsonObject {
  const ref = value.$ref;
  return typeof ref === "string" ? objectAt(description, ...ref.slice(2).split("/")) : value;
}

function mistakes(key: string, schema: JsonObject, value: Json): string[] {
  const validate = compiled.get(key) ?? compile(schema);
  compiled.set(key, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${key}${error.instancePath} ${error.message}`);
}

/** The schema with all it refers to, so that a compile touches nothing else of the 13 MB. */
function compile(schema: JsonObject): ValidateFunction {
  const definitions: JsonObject = {};
  const wanted: string[] = [];
  const root = asJsonSchema(schema, wanted);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (name in definitions) continue;
    definitions[name] = asJsonSchema(objectAt(description, "components", "schemas", name), wanted);
  }
  return ajv.compile({ allOf: [root], definitions });
}

/** OpenAPI 3.0 → JSON Schema: `nullable` allows null whatever stands beside it (an enum, a $ref, an anyOf). */
function asJsonSchema(schema: Json, wanted: string[]): Json {
  if (Array.isArray(schema)) return schema.map((one) => asJsonSchema(one, wanted));
  if (!isObject(schema)) return schema;
  const ref = schema.$ref;
  if (typeof ref === "string") {
    const name = ref.slice("#/components/schemas/".length);
    wanted.push(name);
    return { $ref: `#/definitions/${name}` };
  }
  const { nullable, example: _example, default: _default, ...rest } = schema;
  const plain: JsonObject = {};
  for (const [key, value] of Object.entries(rest)) {
    // A map of properties is no schema itself: one of them may well be called `default` or `nullable`.
    plain[key] =
      key === "properties" && isObject(value) ? eachAsJsonSchema(value, wanted) : asJsonSchema(value, wanted);
  }
  return nullable === true ? { anyOf: [{ type: "null" }, plain] } : plain;
}

function eachAsJsonSchema(properties: JsonObject, wanted: string[]): JsonObject {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, asJsonSchema(schema, wanted)]));
}
