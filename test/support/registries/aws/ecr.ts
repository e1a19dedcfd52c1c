import { type Door, type Refusal, startDoor, type Visit } from "./door.ts";
import type { Struct } from "./model.ts";
import { Tokens } from "./tokens.ts";
import { Fault } from "./write.ts";

export const account = "123456789012";

interface Repository {
  mutability: string;
  filters: { filterType: string; filter: string }[];
  input: Struct;
  tags: Set<string>;
}

/** Elastic Container Registry: repositories and tokens are its own, what is in them is kept by a real registry behind it. */
export class Ecr {
  readonly repositories = new Map<string, Repository>();
  readonly tokens = new Tokens();
  /** What is done to a visit at the door before AWS looks at it. */
  atDoor: (visit: Visit) => Refusal | null = () => null;
  #door: Door | undefined;

  /** @param target the real registry, without a login */
  async open(target: string): Promise<Door> {
    this.#door = await startDoor({ target, authorization: null, refuse: (visit) => this.#refuse(visit) });
    return this.#door;
  }

  answer(operation: string, input: Struct): Struct {
    if (operation === "GetAuthorizationToken") return this.#token(input);
    if (operation === "CreateRepository") return this.#create(input);
    throw new Fault(400, "InvalidAction", `the stand-in of ECR knows no ${operation}`);
  }

  #token({ registryIds = [account] }: Struct): Struct {
    const { token, expires } = this.tokens.issue();
    if (this.#door === undefined || String(registryIds) !== account) throw new Fault(400, "InvalidParameterException");
    const authorizationToken = Buffer.from(`AWS:${token}`).toString("base64");
    return { authorizationData: [{ authorizationToken, expiresAt: expires, proxyEndpoint: this.#door.url }] };
  }

  #create(input: Struct): Struct {
    const name = String(input.repositoryName);
    // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    if (!/^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(name) || name.length < 2) {
      throw new Fault(400, "InvalidParameterException", "repositoryName");
    }
    if (input.registryId !== account) throw new Fault(400, "InvalidParameterException", "registryId");
    if (this.repositories.has(name)) throw new Fault(400, "RepositoryAlreadyExistsException", `${name} exists`);
    const mutability = String(input.imageTagMutability ?? "MUTABLE");
    const filters = (input.imageTagMutabilityExclusionFilters ?? []) as Repository["filters"];
    const takesFilters = mutability.endsWith("_WITH_EXCLUSION");
    const known = ["MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"];
    if (!known.includes(mutability) || takesFilters !== filters.length > 0 || filters.length > 5) {
      throw new Fault(400, "InvalidParameterException", "imageTagMutability");
    }
    if (filters.some(({ filterType, filter }) => filterType !== "WILDCARD" || !/^[\w.*-]{1,128}$/.test(filter))) {
      throw new Fault(400, "InvalidParameterException", "imageTagMutabilityExclusionFilters");
    }
    this.repositories.set(name, { mutability, filters, input, tags: new Set() });
    return { repository: { repositoryName: name, imageTagMutability: mutability, registryId: account } };
  }

  #refuse(visit: Visit): Refusal | null {
    const planted = this.atDoor(visit);
    if (planted !== null) return planted;
    const refusal = (status: number, code: string, message: string): Refusal => {
      const challenge = { "WWW-Authenticate": 'Basic realm="https://ecr.example/",service="ecr.amazonaws.com"' };
      const headers = { "Content-Type": "application/json", ...(status === 401 && challenge) };
      return { status, headers, body: JSON.stringify({ errors: [{ code, message }] }) };
    };
    if (!this.tokens.admits(visit.headers.authorization, "AWS")) {
      return refusal(401, "DENIED", "Your authorization token has expired. Reauthenticate and try again.");
    }
    const path = visit.path.split("?")[0] ?? "";
    if (path === "/v2/") return null;
    const [, name = "", kind, reference = ""] = /^\/v2\/(.+)\/(blobs|manifests)\/(.+)$/.exec(path) ?? [];
    const repository = this.repositories.get(name);
    if (repository === undefined) return refusal(404, "NAME_UNKNOWN", `The repository ${name} does not exist`);
    if (visit.method !== "PUT" || kind !== "manifests" || reference.startsWith("sha256:")) return null;
    if (repository.tags.has(reference) && !isMutable(repository, reference)) {
      return refusal(400, "TAG_INVALID", `The image tag '${reference}' already exists in the '${name}' repository.`);
    }
    repository.tags.add(reference);
    return null;
  }
}

function isMutable({ mutability, filters }: Repository, tag: string): boolean {
  const hit = filters.some(({ filter }) =>
    new RegExp(`^${filter.replace(/[.]/g, "\\.").replace(/\*/g, ".*")}$`).test(tag),
  );
  return mutability.startsWith("IMMUTABLE") ? hit : !hit;
}
