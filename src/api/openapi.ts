import { Router } from "express";
import * as z from "zod";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { VERSION } from "../run/version.ts";
import type { ApiOptions } from "./options.ts";
import { type Access, type Route, route, serveRoute } from "./route.ts";
import { problemSchema } from "./schemas.ts";
import { sendJsonText } from "./send-json.ts";

export const OPEN_API_ROUTE: Route = route({
  method: "get",
  path: "/api/v1/openapi.json",
  summary: "Describe this API as an OpenAPI 3.1 document.",
  access: "open",
  query: z.object({}),
  answer: { status: 200, content: z.looseObject({ openapi: z.string() }).meta({ id: "OpenApi" }) },
  problems: [],
});

export function openApiRoute({ auth }: ApiOptions, limits: ConcurrencyLimits, routes: readonly Route[]): Router {
  const router = Router({ caseSensitive: true, strict: true });
  let text: string | undefined;
  serveRoute(router, auth, OPEN_API_ROUTE, limits.queries, async (_request, response) => {
    text ??= JSON.stringify(openApiOf(routes));
    sendJsonText(response, text);
  });
  return router;
}

/** The OpenAPI 3.1 document of these routes, from the schemas that they check and that their answers have. */
function openApiOf(routes: readonly Route[]): object {
  const components = new Components();
  components.schemaOf(problemSchema, "output");
  const paths: Record<string, Record<string, object>> = {};
  for (const each of routes) {
    const path = each.path.replace(/:([A-Za-z]+)/g, "{$1}");
    paths[path] = { ...paths[path], [each.method]: operationOf(each, components) };
  }
  return {
    openapi: "3.1.1",
    info: { title: "deliverd", version: VERSION, summary: "Deliveries, releases, and what is known of them." },
    servers: [{ url: "/" }],
    paths,
    components: { schemas: components.all, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}

/** Statuses that a route may answer because of who asks, how, or when. */
const COMMON_PROBLEMS: Record<Access, readonly number[]> = {
  open: [400, 500, 503],
  reader: [400, 401, 500, 503],
  operator: [400, 401, 403, 413, 415, 500, 503],
  admin: [400, 401, 403, 500, 503],
};

function operationOf(declared: Route, components: Components): object {
  const { method, path, summary, access, body, answer, problems } = declared;
  const statuses = [...new Set([...COMMON_PROBLEMS[access], ...problems])].sort();
  const problem = {
    description: "Problem details (RFC 9457).",
    content: { "application/problem+json": { schema: components.schemaOf(problemSchema, "output") } },
  };
  const json = (schema: z.ZodType, io: "input" | "output") => {
    return { "application/json": { schema: components.schemaOf(schema, io) } };
  };
  const content =
    answer.content instanceof z.ZodType
      ? json(answer.content, "output")
      : Object.fromEntries(answer.content.map((type) => [type, { schema: {} }]));
  return {
    operationId: `${method}${path.replace(/[^A-Za-z]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    description: `Who may: ${access}.`,
    parameters: parametersOf(declared, components),
    ...(body && { requestBody: { required: true, content: json(body, "input") } }),
    responses: {
      [answer.status]: { description: "Success.", content },
      ...Object.fromEntries(statuses.map((status) => [status, problem])),
    },
    security: access === "open" ? [] : [{ token: [] }],
  };
}

function parametersOf({ path, query }: Route, components: Components): object[] {
  const fromPath = [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name = ""]) => {
    return { name, in: "path", required: true, schema: { type: "string" } };
  });
  const fromQuery = Object.entries(query.shape).map(([name, value]) => {
    return { name, in: "query", required: false, schema: components.schemaOf(value, "output") };
  });
  return [...fromPath, ...fromQuery];
}

/** JSON schemas that share those which have a name. */
class Components {
  readonly all: Record<string, object> = {};

  schemaOf(schema: z.ZodType, io: "input" | "output"): object {
    // A schema with a name gives a reference only where it is part of another.
    const text = JSON.stringify(z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: "any" }));
    const { properties, $defs = {} } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as {
      properties: { it: object };
      $defs?: Record<string, object>;
    };
    Object.assign(this.all, $defs);
    return properties.it;
  }
}
