import * as z from "zod";
import type { ArtifactPlan, BuildCommands } from "../../delivery/types.ts";
import { argument, argumentName, listOf, name, registryKey, template } from "../../settings/artifact.ts";
import { duration, globs, orNull, size, strict, text } from "../../settings/scalars.ts";
import type { FilesOrder } from "../builder.ts";
import { builderKind } from "../builder-kind.ts";

const cachePath = text
  .max(512, { error: "a path of at most 512 characters" })
  .regex(/^(?!.*(?:^|\/)\.\.(?:\/|$))[^\p{Cc}\\:]+$/u, { error: "a folder, such as /root/.npm, without .. in it" });

const secretName = z.string().regex(/^(?!DELIVERD_)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  error: "the name of a secret that the server grants this repo, of letters, digits and _",
});

const build = strict({
  image: text.max(512, { error: "the reference of an image, such as node:24" }),
  run: listOf(text, 100, "command"),
  cache: z
    .array(cachePath, { error: "a list of folders, such as [/root/.npm]" })
    .max(20, { error: "at most 20" })
    .default([]),
  env: z.record(argumentName, argument, { error: "a map of environment variables" }).default({}),
  secrets: z.array(secretName, { error: "a list of names of secrets" }).max(50, { error: "at most 50" }).default([]),
  network: z.boolean({ error: "true or false" }).default(true),
  memory: orNull(size),
  cpus: orNull(z.number({ error: "a number of CPUs" }).positive({ error: "more than 0" })),
  timeout: orNull(duration),
}).transform(({ memory, cpus, timeout, ...rest }): BuildCommands => {
  return { ...rest, limits: { memoryBytes: memory, cpus, time: timeout } };
});

/** One glob or several. */
const files = z
  .union([text.max(256, { error: "a glob of at most 256 characters" }).transform((glob) => [glob]), globs], {
    error: "the glob of the files that the commands leave, such as dist/*.tgz, or a list of globs",
  })
  .refine((list) => list.length > 0, { error: "at least one glob" });

function settings<const K extends ArtifactPlan["kind"]>(kind: K) {
  return strict({
    name,
    kind: z.literal(kind),
    paths: globs.default([]),
    build,
    files,
    publish: listOf(strict({ to: registryKey, as: template.nullable().default(null) }), 20, "destination"),
  }).transform(
    (artifact): ArtifactPlan => ({
      ...artifact,
      dockerfile: "Dockerfile",
      context: ".",
      platforms: [],
      args: {},
      publish: artifact.publish.map((destination) => ({ ...destination, tags: [] })),
    }),
  );
}

/** Runs the commands of the pipeline in a container, and takes the files that they leave. */
export const commands = builderKind<FilesOrder>({
  settings,
  async open({ docker, store, log, registryAuth, cacheUses, network }) {
    const { filesBuilder } = await import("../files.ts");
    return filesBuilder({ docker: await docker(), store, log, registryAuth, cacheUses, network });
  },
});
