import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** AWS's own description of a service, as its SDK for JavaScript v2 carries it. Only what is read here. */
export interface Shape {
  shape?: string;
  type?: string;
  members?: Record<string, Shape>;
  required?: string[];
  member?: Shape;
  value?: Shape;
  location?: "uri" | "header" | "querystring" | "headers";
  locationName?: string;
  queryName?: string;
  payload?: string;
}

export interface Operation {
  name: string;
  http?: { method?: string; requestUri: string; responseCode?: number };
  authtype?: string;
  input?: Shape;
  output?: Shape;
}

interface Model {
  metadata: { targetPrefix?: string; apiVersion: string; protocol: string };
  operations: Record<string, Operation>;
  shapes: Record<string, Shape>;
}

export type ServiceName = "ecr" | "codeartifact" | "ec2" | "ebs" | "kms";
export type Value = string | number | boolean | Buffer | Value[] | { [member: string]: Value | undefined };
export type Struct = { [member: string]: Value | undefined };

const files: Record<ServiceName, string> = {
  ecr: "ecr-2015-09-21",
  codeartifact: "codeartifact-2018-09-22",
  ec2: "ec2-2016-11-15",
  ebs: "ebs-2019-11-02",
  kms: "kms-2014-11-01",
};

const require = createRequire(import.meta.url);
const models = join(dirname(require.resolve("aws-sdk/package.json")), "apis");

/** The request breaks the model: what is sent to AWS is wrong, whatever else holds. */
export class AgainstTheModel extends Error {}

export class Service {
  readonly #model: Model;

  constructor(name: ServiceName) {
    this.#model = JSON.parse(readFileSync(join(models, `${files[name]}.min.json`), "utf8")) as Model;
    for (const [operation, about] of Object.entries(this.#model.operations)) about.name = operation;
    if (name === "ecr") addExclusionFilters(this.#model);
  }

  get metadata() {
    return this.#model.metadata;
  }

  operation(name: string): Operation {
    const operation = this.#model.operations[name];
    if (operation === undefined) throw new AgainstTheModel(`there is no operation ${name}`);
    return operation;
  }

  get operations(): Operation[] {
    return Object.values(this.#model.operations);
  }

  resolve(shape: Shape): Shape {
    if (shape.shape === undefined) return shape;
    const { shape: name, ...own } = shape;
    return { ...this.resolve(this.#model.shapes[name] ?? {}), ...own };
  }

  /** Every member is known, of its type, and none is missing, all the way down. */
  demand(value: Value | undefined, shape: Shape, path: string): void {
    const { type = "string", members, required = [], member, value: each } = this.resolve(shape);
    const wrong = () => new AgainstTheModel(`${path}: ${type} expected, ${JSON.stringify(value)?.slice(0, 80)} found`);
    if (type === "structure") {
      if (typeof value !== "object" || Array.isArray(value) || Buffer.isBuffer(value)) throw wrong();
      for (const name of required) {
        if (value[name] === undefined) throw new AgainstTheModel(`${path}: ${name} is required`);
      }
      for (const [name, inner] of Object.entries(value)) {
        const about = members?.[name];
        if (about === undefined) throw new AgainstTheModel(`${path}: ${name} is no member`);
        if (inner !== undefined) this.demand(inner, about, `${path}.${name}`);
      }
    } else if (type === "list") {
      if (!Array.isArray(value)) throw wrong();
      for (const [index, inner] of value.entries()) this.demand(inner, member ?? {}, `${path}[${index}]`);
    } else if (type === "map") {
      for (const [name, inner] of Object.entries(value as Struct)) this.demand(inner, each ?? {}, `${path}.${name}`);
    } else if (type === "blob") {
      if (!Buffer.isBuffer(value)) throw wrong();
    } else if (type === "boolean") {
      if (typeof value !== "boolean") throw wrong();
    } else if (["integer", "long", "float", "double", "timestamp"].includes(type)) {
      if (typeof value !== "number" || Number.isNaN(value)) throw wrong();
    } else if (typeof value !== "string") throw wrong();
  }
}

/** Younger than SDK v2's last model: as the types of SDK v3 (`@aws-sdk/client-ecr`) have it. */
function addExclusionFilters({ operations, shapes }: Model): void {
  const text: Shape = { type: "string" };
  const filter: Shape = {
    type: "structure",
    required: ["filterType", "filter"],
    members: { filterType: text, filter: text },
  };
  const filters: Shape = { type: "list", member: filter };
  const repository = shapes.S1z?.members;
  const input = operations.CreateRepository?.input?.members;
  if (!repository || !("repositoryUri" in repository) || !input) throw new Error("the model of ECR has changed");
  repository.imageTagMutabilityExclusionFilters = filters;
  input.imageTagMutabilityExclusionFilters = filters;
}
