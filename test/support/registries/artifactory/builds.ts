import { No } from "./answer.ts";
import type { Storage } from "./storage.ts";

interface Artifact {
  name: string;
  path: string;
  type: string;
  sha1: string;
  md5?: string;
  sha256?: string;
}

export interface Build {
  name: string;
  number: string;
  started: string;
  agent: { name: string; version: string };
  vcs: { revision: string; url: string }[];
  modules: { id: string; type: string; artifacts: Artifact[] }[];
}

const STARTED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$/;
const TYPES = ["docker", "maven", "npm", "python", "generic"];
const CONTENT_TYPES = ["application/json", "application/vnd.org.jfrog.artifactory+json"];

/** Build-info by name and number. */
export class Builds {
  readonly all = new Map<string, Build>();
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get(name: string, number: string): Build {
    const build = this.all.get(JSON.stringify([name, number]));
    if (build === undefined) throw new No(404, `No build was found for build name: ${name}, build number: ${number}`);
    return build;
  }

  put(contentType: string | undefined, body: Buffer): void {
    if (!CONTENT_TYPES.includes(contentType ?? "")) throw new No(415, `build-info is JSON, not ${contentType}`);
    const build = this.#checked(body);
    const key = JSON.stringify([build.name, build.number]);
    const before = this.all.get(key);
    if (before !== undefined && before.started !== build.started) {
      throw new No(
        409,
        `${build.name} ${build.number} was started at ${before.started}: this would be a second run of it`,
      );
    }
    this.all.set(key, build);
  }

  /** Copies what belongs to a build: its files by their checksums, wherever they bear its name and number. */
  promote(name: string, number: string, { targetRepo, copy }: { targetRepo?: string; copy?: boolean }): void {
    const build = this.get(name, number);
    if (targetRepo === undefined || copy !== true) throw new No(400, "targetRepo and copy: true are wanted");
    this.#storage.typeOf(targetRepo);
    for (const artifact of build.modules.flatMap((module) => module.artifacts)) {
      const held = this.#storage.withChecksum("sha1", artifact.sha1).filter(([path]) => this.#belongs(path, build));
      const [path, kept] = held.find(([path]) => path.endsWith(`/${artifact.path}`)) ?? [];
      if (path === undefined || kept === undefined)
        throw new No(404, `Unable to find artifact ${artifact.name} of the build`);
      this.#storage.keep(
        [targetRepo, ...path.split("/").slice(1)].join("/"),
        kept.bytes,
        this.#storage.properties.get(path),
      );
    }
  }

  #belongs(path: string, { name, number }: Build): boolean {
    const properties = this.#storage.properties.get(path) ?? {};
    return properties["build.name"]?.[0] === name && properties["build.number"]?.[0] === number;
  }

  #checked(body: Buffer): Build {
    const build = JSON.parse(body.toString()) as Build;
    const filled = [build.name, build.number, build.agent?.name, build.agent?.version];
    if (filled.some((text) => typeof text !== "string" || text === ""))
      throw new No(400, "name, number and agent are wanted");
    if (!STARTED.test(build.started)) throw new No(400, `started is ${build.started}`);
    const { modules = [] } = build;
    if (modules.length === 0) throw new No(400, "a build without a module");
    if (new Set(modules.map(({ id }) => id)).size < modules.length) throw new No(400, "two modules of one id");
    for (const { id, type, artifacts } of modules) {
      if (!id || !TYPES.includes(type) || !artifacts?.length)
        throw new No(400, `module ${id} of type ${type} is not whole`);
      for (const artifact of artifacts) this.#demandFile(artifact);
    }
    return build;
  }

  /** The real one takes any; whoever tells of a file that is not there has got something wrong. */
  #demandFile({ name, path, type, ...told }: Artifact): void {
    if (!name || !type || !path?.endsWith(name)) throw new No(400, `artifact ${name} of type ${type} at ${path}`);
    const held = this.#storage.withChecksum("sha1", told.sha1).find(([at]) => at.endsWith(`/${path}`));
    if (held === undefined) throw new No(400, `no file ${path} has the SHA-1 ${told.sha1}`);
    for (const kind of ["md5", "sha256"] as const) {
      if (told[kind] !== undefined && told[kind] !== held[1].checksums[kind])
        throw new No(400, `${kind} of ${path} is wrong`);
    }
  }
}
