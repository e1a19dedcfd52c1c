import { AgainstTheModel, type Operation, type Service, type Shape, type Struct, type Value } from "./model.ts";
import type { Signed } from "./signature.ts";

export interface Call {
  operation: Operation;
  input: Struct;
}

/** What a request asks for, by the rules of its service's protocol. @throws AgainstTheModel */
export function readCall(service: Service, request: Signed): Call {
  const { protocol } = service.metadata;
  const call =
    protocol === "json"
      ? readJson(service, request)
      : protocol === "ec2"
        ? readForm(service, request)
        : readRest(service, request);
  service.demand(call.input, { type: "structure", ...call.operation.input }, call.operation.name);
  return call;
}

function readJson(service: Service, { method, url, headers, body }: Signed): Call {
  const [prefix, name = ""] = String(headers["x-amz-target"] ?? "").split(".");
  if (method !== "POST" || url !== "/" || prefix !== service.metadata.targetPrefix) {
    throw new AgainstTheModel(`${method} ${url} ${prefix}`);
  }
  if (headers["content-type"] !== "application/x-amz-json-1.1") throw new AgainstTheModel("content-type");
  const operation = service.operation(name);
  const input = JSON.parse(body.toString() || "{}") as Struct;
  for (const [member, about] of Object.entries(operation.input?.members ?? {})) {
    const value = input[member];
    // JSON has no bytes.
    if (typeof value === "string" && service.resolve(about).type === "blob")
      input[member] = Buffer.from(value, "base64");
  }
  return { operation, input };
}

/** `BlockDeviceMapping.1.Ebs.SnapshotId=…`: names of members, and numbers from 1 in lists. */
function readForm(service: Service, { method, url, body }: Signed): Call {
  if (method !== "POST" || url !== "/") throw new AgainstTheModel(`${method} ${url}`);
  const fields = new URLSearchParams(body.toString());
  const tree: Tree = {};
  for (const [name, value] of fields) {
    if (fields.getAll(name).length > 1) throw new AgainstTheModel(`${name} is given twice`);
    if (name !== "Action" && name !== "Version") plant(tree, name.split("."), value);
  }
  if (fields.get("Version") !== service.metadata.apiVersion) throw new AgainstTheModel("Version");
  const operation = service.operation(fields.get("Action") ?? "");
  const input = grow(service, tree, { type: "structure", ...operation.input }, operation.name);
  return { operation, input: input as Struct };
}

type Tree = { [part: string]: Tree | string };

function plant(tree: Tree, [part = "", ...rest]: string[], value: string): void {
  if (rest.length === 0) {
    tree[part] = value;
    return;
  }
  tree[part] ??= {};
  const branch = tree[part];
  if (typeof branch === "string") throw new AgainstTheModel(`${part} is a value and more`);
  plant(branch, rest, value);
}

function grow(service: Service, tree: Tree | string, shape: Shape, path: string): Value {
  const { type = "string", members = {}, member = {} } = service.resolve(shape);
  if (typeof tree === "string") return scalar(type, tree, path);
  if (type === "list") {
    const wrong = Object.keys(tree).some((key, index) => key !== String(index + 1));
    if (wrong) throw new AgainstTheModel(`${path}: numbered ${Object.keys(tree)}`);
    return Object.values(tree).map((inner, index) => grow(service, inner, member, `${path}.${index + 1}`));
  }
  const byWireName = new Map(Object.entries(members).map(([name, about]) => [wireName(service, name, about), name]));
  const grown: Struct = {};
  for (const [key, inner] of Object.entries(tree)) {
    const name = byWireName.get(key);
    if (name === undefined) throw new AgainstTheModel(`${path}: ${key} is no member`);
    grown[name] = grow(service, inner, members[name] ?? {}, `${path}.${key}`);
  }
  return grown;
}

/** EC2's own query protocol: the name of the location, with its first letter in upper case. */
function wireName(service: Service, name: string, shape: Shape): string {
  const { queryName, locationName } = { ...service.resolve(shape), ...shape };
  const own = locationName ?? name;
  return queryName ?? own.charAt(0).toUpperCase() + own.slice(1);
}

function readRest(service: Service, request: Signed): Call {
  const { pathname, searchParams } = new URL(request.url, "http://any");
  for (const operation of service.operations) {
    const path = matchPath(operation.http?.requestUri ?? "/", pathname);
    if (path && (operation.http?.method ?? "POST") === request.method) {
      return { operation, input: membersOf(service, operation, request, path, searchParams) };
    }
  }
  throw new AgainstTheModel(`${request.method} ${pathname}`);
}

function matchPath(template: string, path: string): Record<string, string> | null {
  const [wanted, given] = [template.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = decodeURIComponent(given[index] ?? "");
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name !== undefined) found[name] = value;
    else if (part !== value) return null;
  }
  return found;
}

function membersOf(
  service: Service,
  operation: Operation,
  request: Signed,
  path: Record<string, string>,
  query: URLSearchParams,
): Struct {
  const input: Struct = {};
  const taken = new Set(["x-amz-date", "x-amz-content-sha256", "x-amz-user-agent", "x-amz-security-token"]);
  const asked = new Set(query.keys());
  const members = operation.input?.members ?? {};
  for (const [name, about] of Object.entries(members)) {
    const wire = about.locationName ?? name;
    const text = {
      uri: path[wire],
      querystring: query.get(wire) ?? undefined,
      header: request.headers[wire.toLowerCase()] as string | undefined,
      headers: undefined,
      body: undefined,
    }[about.location ?? "body"];
    if (about.location === "header") taken.add(wire.toLowerCase());
    asked.delete(wire);
    if (text !== undefined) input[name] = scalar(service.resolve(about).type ?? "string", text, name);
  }
  const stray = Object.keys(request.headers).find((name) => name.startsWith("x-amz-") && !taken.has(name));
  if (stray !== undefined) throw new AgainstTheModel(`${operation.name}: the header ${stray} is no member`);
  if (asked.size > 0) throw new AgainstTheModel(`${operation.name}: ${[...asked]} is no member`);
  const { payload } = operation.input ?? {};
  if (payload !== undefined) return { ...input, [payload]: request.body };
  const body = request.body.length === 0 ? {} : (JSON.parse(request.body.toString()) as Struct);
  for (const name of Object.keys(body)) {
    if (members[name]?.location !== undefined) throw new AgainstTheModel(`${name} does not belong into the body`);
  }
  return { ...input, ...body };
}

function scalar(type: string, text: string, path: string): Value {
  if (type === "boolean" && /^(?:true|false)$/.test(text)) return text === "true";
  if (/^(?:integer|long)$/.test(type) && /^-?\d+$/.test(text)) return Number(text);
  if (type === "string") return text;
  throw new AgainstTheModel(`${path}: ${type} expected, ${text} found`);
}
