import * as z from "zod";
import { readPlatform } from "../../delivery/image-index.ts";
import { DEFAULT_TAGS } from "../../delivery/plan.ts";
import type { ArtifactPlan } from "../../delivery/types.ts";
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
  treePath,
} from "../../settings/artifact.ts";
import { orNull, strict, text } from "../../settings/scalars.ts";
import type { BuildOrder } from "../builder.ts";
import { builderKind } from "../builder-kind.ts";

/** Labels that deliverd sets, and that say where an image comes from. */
const OWN_LABEL = /^(?:org\.opencontainers\.image\.(?:revision|source|version|created|ref\.name)$|dev\.deliverd\.)/;

const label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$/, { error: "the name of a label, such as team or com.example.team" })
  .refine((name) => !OWN_LABEL.test(name), { error: "another label; this one is set by deliverd itself" });

const labels = z
  .record(label, argument, { error: "a map of labels" })
  .refine((map) => Object.keys(map).length <= 100, { error: "at most 100 labels" })
  .default({})
  .describe("Labels of the image, besides those that deliverd sets.");

const target = orNull(
  z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/, { error: "the name of a stage of the Dockerfile" }),
).describe("The stage of the Dockerfile that becomes the image. Left out: the last one.");

const settings = strict({
  name,
  kind: z.literal("image").describe(KIND),
  dockerfile: treePath.default("Dockerfile").describe("The path of the Dockerfile in the repo. Left out: Dockerfile."),
  context: treePath.default(".").describe("The folder of the build context in the repo. Left out: the root."),
  target,
  paths,
  platforms: z
    .array(text.regex(/^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9]+)?$/, { error: "a platform, such as linux/amd64" }))
    .max(10, { error: "at most 10 platforms" })
    .refine((list) => new Set(list.map((each) => JSON.stringify(readPlatform(each)))).size === list.length, {
      error: "each platform once",
    })
    .default([])
    .describe(
      "The platforms of the image, such as linux/amd64. Several: one index of them. Left out: the engine's own.",
    ),
  args: z
    .record(argumentName, argument, { error: "a map of build arguments" })
    .default({})
    .describe("Build arguments, for ARG in the Dockerfile."),
  labels,
  secrets: secretNames.describe(
    "Names of secrets that the server grants this repo, for RUN --mount=type=secret,id=NAME in the Dockerfile.",
  ),
  cache: z
    .boolean({ error: "true or false" })
    .default(true)
    .describe("false: every step runs, even if the engine has its result. Left out: true."),
  publish: listOf(
    strict({
      to: registryKey,
      as: template.describe(
        "The name of the repository in the registry, such as acme/api. It may hold variables, such as {artifact}.",
      ),
      tags: listOf(template, 20, "tag template")
        .default([...DEFAULT_TAGS])
        .describe(`Templates of the image's tags. Left out: ${DEFAULT_TAGS.join(", ")}.`),
    }),
    20,
    "destination",
  ).describe(PUBLISH),
}).transform((artifact): ArtifactPlan => ({ ...artifact, build: null, files: [] }));

/** Builds images from a Dockerfile. */
export const image = builderKind<BuildOrder>({
  settings: () => settings,
  async open({ engine: find, intake, store, log, registryAuth, network }) {
    const engine = await find();
    if (engine.protocol === "buildkit") {
      const { buildKitImageBuilder } = await import("./on-buildkit.ts");
      return buildKitImageBuilder({ connect: engine.connect, intake, registryAuth, network });
    }
    const { imageBuilder } = await import("../image.ts");
    return imageBuilder({ docker: engine.docker, intake, store, log, registryAuth, network });
  },
});
