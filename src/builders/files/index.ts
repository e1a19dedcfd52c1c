import * as z from "zod";
import { Refused } from "../../delivery/errors.ts";
import type { ArtifactPlan, BuildCommands } from "../../delivery/types.ts";
import {
  argument,
  argumentName,
  KIND,
  listOf,
  name,
  PUBLISH,
  paths,
  registryKey,
  secretNames,
  template,
} from "../../settings/artifact.ts";
import { duration, globs, orNull, size, strict, text } from "../../settings/scalars.ts";
import type { FilesOrder } from "../builder.ts";
import { builderKind } from "../builder-kind.ts";

const cachePath = text
  .max(512, { error: "a path of at most 512 characters" })
  .regex(/^(?!.*(?:^|\/)\.\.(?:\/|$))[^\p{Cc}\\:]+$/u, { error: "a folder, such as /root/.npm, without .. in it" });

const build = strict({
  image: text
    .max(512, { error: "the reference of an image, such as node:24" })
    .describe("The image in which the commands run, such as node:24. It needs a shell at /bin/sh."),
  run: listOf(text, 100, "command").describe("Commands. Each is run by `sh -ec` in the tree of the commit."),
  cache: z
    .array(cachePath, { error: "a list of folders, such as [/root/.npm]" })
    .max(20, { error: "at most 20" })
    .default([])
    .describe("Folders that are kept between the builds of this repo, such as /root/.npm. Left out: none."),
  env: z
    .record(argumentName, argument, { error: "a map of environment variables" })
    .default({})
    .describe("Environment variables of the commands, besides DELIVERD_VERSION and the others that deliverd sets."),
  secrets: secretNames.describe(
    "Names of secrets that the server grants this repo. Each becomes an environment variable.",
  ),
  network: z
    .boolean({ error: "true or false" })
    .default(true)
    .describe("false: the commands have no network. Left out: true."),
  memory: orNull(size).describe("Memory that the build may use, such as 1GB. Left out: the server's limit."),
  cpus: orNull(z.number({ error: "a number of CPUs" }).positive({ error: "more than 0" })).describe(
    "CPUs that the build may use. Left out: the server's limit.",
  ),
  timeout: orNull(duration).describe("How long the commands may take, such as 10m. Left out: the server's limit."),
}).transform(({ memory, cpus, timeout, ...rest }): BuildCommands => {
  return { ...rest, limits: { memoryBytes: memory, cpus, time: timeout } };
});

/** One glob or several. */
const files = z
  .union([text.max(256, { error: "a glob of at most 256 characters" }).transform((glob) => [glob]), globs], {
    error: "the glob of the files that the commands leave, such as dist/*.tgz, or a list of globs",
  })
  .refine((list) => list.length > 0, { error: "at least one glob" })
  .describe("A glob, or a list of them, of the files that the commands leave, such as dist/*.tgz.");

/** What `as` is for each kind. */
const NAMED_AS: Record<ArtifactPlan["kind"], string> = {
  image: "The name of the repository in the registry.",
  jar: "group:artifact. Left out: from the POM in the jar.",
  npm: "The package's name. Left out: the package says it; given, it must be that.",
  wheel: "The package's name. Left out: the package says it; given, it must be that.",
  file: "The path before the files. Left out: {owner}/{repo}.",
  ami: "The name of the machine image. Left out: {owner}-{repo}-{artifact}-{version}.",
};

/** What only an image has. */
const NO_IMAGE = {
  ...{ dockerfile: "Dockerfile", context: ".", target: null, platforms: [], args: {} },
  ...{ labels: {}, secrets: [], cache: true },
};

function settings<const K extends ArtifactPlan["kind"]>(kind: K) {
  return strict({
    name,
    kind: z.literal(kind).describe(KIND),
    paths,
    build: build.describe("How the files are made: an image, and commands that run in it."),
    files,
    publish: listOf(
      strict({ to: registryKey, as: template.nullable().default(null).describe(NAMED_AS[kind]) }),
      20,
      "destination",
    ).describe(PUBLISH),
  }).transform(
    (artifact): ArtifactPlan => ({
      ...artifact,
      ...NO_IMAGE,
      publish: artifact.publish.map((destination) => ({ ...destination, tags: [] })),
    }),
  );
}

async function refuse({ artifact: { name, kind } }: FilesOrder): Promise<never> {
  throw new Refused(
    "commands-need-docker",
    `artifact "${name}" of kind ${kind} is made by commands in a container, and this server builds with a BuildKit ` +
      "alone, which makes images only. Ask the administrator for an engine with Docker or Podman.",
  );
}

/** Runs the commands of the pipeline in a container, and takes the files that they leave. */
export const commands = builderKind<FilesOrder>({
  settings,
  async open({ engine: find, store, log, registryAuth, cacheUses, network }) {
    const engine = await find();
    if (engine.protocol === "buildkit") return { build: refuse };
    const { filesBuilder } = await import("../files.ts");
    return filesBuilder({ docker: engine.docker, store, log, registryAuth, cacheUses, network });
  },
});
