import type { ServerResponse } from "node:http";
import type { Operation, Service, Shape, Struct, Value } from "./model.ts";

/** An answer that AWS gives as an error. */
export class Fault extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message = code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Writes what an operation answers, in the form of its protocol; what the model does not know is our own mistake. */
export function writeAnswer(service: Service, operation: Operation, output: Struct, response: ServerResponse): void {
  const shape: Shape = { type: "structure", ...operation.output };
  service.demand(output, shape, `the stand-in's ${operation.name}`);
  const { protocol } = service.metadata;
  if (protocol === "ec2") {
    const inner = xmlOf(service, output, shape);
    const text = `<${operation.name}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>${inner}</${operation.name}Response>`;
    response.writeHead(200, { "Content-Type": "text/xml;charset=UTF-8" }).end(text);
    return;
  }
  const headers: Record<string, string> = {};
  const body: Struct = {};
  for (const [name, value] of Object.entries(output)) {
    const { location, locationName = name } = shape.members?.[name] ?? {};
    if (location === "header") headers[locationName] = String(value);
    else if (name !== shape.payload) body[name] = Buffer.isBuffer(value) ? value.toString("base64") : value;
  }
  const payload = shape.payload === undefined ? undefined : output[shape.payload];
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(body));
  const type = Buffer.isBuffer(payload) ? "application/octet-stream" : "application/json";
  response.writeHead(operation.http?.responseCode ?? 200, { ...headers, "Content-Type": type }).end(bytes);
}

export function writeFault(protocol: string, fault: Fault, response: ServerResponse): void {
  const { status, code, message } = fault;
  if (protocol === "ec2") {
    const text = `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error></Errors><RequestID>r</RequestID></Response>`;
    response.writeHead(status, { "Content-Type": "text/xml" }).end(text);
    return;
  }
  const named = protocol === "json" ? { __type: code } : {};
  const headers = { "Content-Type": "application/json", ...(protocol === "json" ? {} : { "x-amzn-ErrorType": code }) };
  response.writeHead(status, headers).end(JSON.stringify({ ...named, message }));
}

function xmlOf(service: Service, value: Value, shape: Shape): string {
  const { members = {}, member = {} } = service.resolve(shape);
  if (Array.isArray(value)) {
    const tag = member.locationName ?? "item";
    return value.map((each) => `<${tag}>${xmlOf(service, each, member)}</${tag}>`).join("");
  }
  if (typeof value !== "object" || Buffer.isBuffer(value)) return escaped(String(value));
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .map(([name, inner]) => {
      const tag = members[name]?.locationName ?? name;
      return `<${tag}>${xmlOf(service, inner ?? "", members[name] ?? {})}</${tag}>`;
    })
    .join("");
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] ?? sign);
}
