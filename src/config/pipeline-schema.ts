import { posix } from "node:path";
import * as z from "zod";
import { DEFAULT_GATE, DEFAULT_TAGS } from "../delivery/plan.ts";
import type { ArtifactPlan, BuildCommands, Gate } from "../delivery/types.ts";
import { apps, duration, formBy, globs, orNull, size, strict, text } from "../settings/scalars.ts";

/** A path inside the commit's tree; parsed to its shortest form. */
const treePath = text
  .max(512, { error: "a path of at most 512 characters" })
  .refine(
    (path) => !/[\p{Cc}\\]/u.test(path) && !path.startsWith("/") && !/^\.\.(?:\/|$)/.test(posix.normalize(path)),
    {
      error: "a path inside the repo, relative to its root, with / between folders",
    },
  )
  .transform((path) => posix.normalize(path).replace(/(?<=.)\/$/, ""));

const template = z
  .string({ error: "the template of a name in the registry, such as acme/api" })
  .min(1, { error: "the template of a name in the registry, such as acme/api" })
  .max(256, { error: "at most 256 characters" })
  .regex(/^[^\s\p{Cc}]+$/u, { error: "a template without spaces, such as {version}" });

const registryKey = text.max(100, { error: "the key of a registry of the server" });

const argument = z
  .union([z.string(), z.number(), z.boolean()], { error: "a text" })
  .transform(String)
  .refine((value) => !value.includes("\0") && value.length <= 4096, { error: "a text of at most 4096 characters" });

const argumentName = z.string().regex(/^(?!DELIVERD_|SOURCE_DATE_EPOCH$)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  error: "the name of a build argument; DELIVERD_… and SOURCE_DATE_EPOCH are set by deliverd itself",
});

const name = z.string({ error: "the artifact's name" }).regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
  error: "a name of lower-case letters, digits and . _ -, beginning with a letter or digit, at most 63 characters",
});

const image = strict({
  name,
  kind: z.literal("image"),
  dockerfile: treePath.default("Dockerfile"),
  context: treePath.default("."),
  paths: globs.default([]),
  platforms: z
    .array(text.regex(/^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9]+)?$/, { error: "a platform, such as linux/amd64" }))
    .max(10, { error: "at most 10 platforms" })
    .default([]),
  args: z.record(argumentName, argument, { error: "a map of build arguments" }).default({}),
  publish: listOf(
    strict({ to: registryKey, as: template, tags: listOf(template, 20, "tag template").default([...DEFAULT_TAGS]) }),
    20,
    "destination",
  ),
}).transform((artifact): ArtifactPlan => ({ ...artifact, build: null, files: [] }));

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

function madeByCommands<const K extends ArtifactPlan["kind"]>(kind: K) {
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

const KINDS = {
  image,
  jar: madeByCommands("jar"),
  npm: madeByCommands("npm"),
  wheel: madeByCommands("wheel"),
  file: madeByCommands("file"),
  ami: madeByCommands("ami"),
} satisfies Record<ArtifactPlan["kind"], z.ZodType<ArtifactPlan>>;

const artifact = z.discriminatedUnion("kind", [KINDS.image, KINDS.jar, KINDS.npm, KINDS.wheel, KINDS.file, KINDS.ami], {
  error: formBy("kind", Object.keys(KINDS)),
});

const CI = "none, or a map of required, apps, settle, timeout";
const ci = z
  .union(
    [
      z.literal("none", { error: CI }),
      strict({
        required: globs.default([]),
        apps: apps.nullable().default(null),
        settle: duration.prefault("5s"),
        timeout: duration.prefault("6h"),
      }),
    ],
    { error: CI },
  )
  .transform((value): Gate => (value === "none" ? { ...DEFAULT_GATE, ci: "none" } : { ci: "required", ...value }));

/** `.deliverd.yml`. */
export const pipelineSchema = strict({
  version: z.literal(1, { error: "1, the only version there is" }),
  on: strict({ branches: globs.default([]), tags: globs.default([]) })
    .refine((on) => on.branches.length + on.tags.length > 0, {
      error: "at least one branch or tag; leave `on` out for the default branch and v* tags",
    })
    .nullable()
    .default(null),
  ci: ci.default(DEFAULT_GATE),
  supersede: z.boolean({ error: "true or false" }).default(false),
  artifacts: listOf(artifact, 50, "artifact").refine(
    (artifacts) => new Set(artifacts.map((one) => one.name)).size === artifacts.length,
    { error: "artifacts of different names" },
  ),
});

function listOf<T extends z.ZodType>(item: T, max: number, noun: string) {
  return z
    .array(item, { error: `a list of at least one ${noun}` })
    .min(1, { error: `a list of at least one ${noun}` })
    .max(max, { error: `at most ${max} of ${noun}` });
}
