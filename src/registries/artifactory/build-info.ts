import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";
import type { ArtifactKind } from "../../delivery/types.ts";
import { VERSION } from "../../run/version.ts";
import type { ArtifactoryApi, StoredFile } from "./api.ts";
import type { BuildFacts } from "./build-facts.ts";

const artifactShape = z.looseObject({ name: z.string(), path: z.string().nullish(), sha1: z.string().nullish() });
const moduleShape = z.looseObject({ id: z.string(), artifacts: z.array(artifactShape).nullish() });
const buildShape = z.looseObject({ modules: z.array(moduleShape).nullish() });

type Module = z.output<typeof moduleShape>;
type Artifact = z.output<typeof artifactShape>;

/** https://github.com/jfrog/build-info: the types that JFrog's own tools give. */
const MODULE_TYPES: Record<Exclude<ArtifactKind, "ami">, string> = {
  image: "docker",
  jar: "maven",
  npm: "npm",
  wheel: "python",
  file: "generic",
};

/** @param id as the kind's own tools write it: `group:artifact:version`, `package:version`, `image:tag` */
export function moduleOf(kind: ArtifactKind, id: string, files: StoredFile[]): Module {
  const artifacts = files.map(({ path, sha1, md5, sha256 }): Artifact => {
    const inRepository = path.slice(path.indexOf("/") + 1);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const type = /\.([A-Za-z0-9]+)$/.exec(name)?.[1] ?? "file";
    return { type, name, path: inRepository, sha1, ...(md5 && { md5 }), ...(sha256 && { sha256 }) };
  });
  return { id, type: kind === "ami" ? "generic" : MODULE_TYPES[kind], artifacts };
}

const ROUNDS = 4;

/** Adds the module to its build, and looks whether it is in; what others put there stays. */
export function addToBuild(api: ArtifactoryApi, facts: BuildFacts, module: Module, signal: AbortSignal): Promise<void> {
  const key = JSON.stringify([api.client.url.href, facts.name, facts.number]);
  // Artifacts of one commit add to the same build.
  return api.builds.run(key, () => add(api, facts, module, signal));
}

async function add(api: ArtifactoryApi, facts: BuildFacts, module: Module, signal: AbortSignal): Promise<void> {
  const { name, number } = facts;
  for (let round = 0; round < ROUNDS; round++) {
    const standing = buildShape.nullable().parse(await api.build(name, number, signal));
    const modules = standing?.modules ?? [];
    if (holds(modules, module)) return;
    await api.putBuild({ ...newBuild(facts), ...standing, modules: merged(modules, module) }, signal);
  }
  throw new TransientError(
    "read-back-differs",
    `${api.label}: build-info of ${name} ${number} was published, but does not list ${module.id} yet.`,
  );
}

function newBuild({ name, number, started, revision, source }: BuildFacts) {
  const agent = { name: "deliverd", version: VERSION };
  return {
    ...{ version: "1.0.1", name, number, started: started.toISOString().replace("Z", "+0000") },
    ...{ agent, buildAgent: agent, vcs: [{ revision, url: source }] },
  };
}

function holds(modules: Module[], { id, artifacts }: Module): boolean {
  const own = modules.find((module) => module.id === id)?.artifacts ?? [];
  return (artifacts ?? []).every(({ path, sha1 }) => own.some((each) => each.path === path && each.sha1 === sha1));
}

/** One more name of the same content adds its paths. */
function merged(modules: Module[], module: Module): Module[] {
  const own = modules.find(({ id }) => id === module.id);
  if (own === undefined) return [...modules, module];
  const ours = module.artifacts ?? [];
  const others = (own.artifacts ?? []).filter(({ path }) => !ours.some((each) => each.path === path));
  return modules.map((each) => (each === own ? { ...own, ...module, artifacts: [...others, ...ours] } : each));
}
