import * as z from "zod";
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
  template,
  treePath,
} from "../../settings/artifact.ts";
import { strict, text } from "../../settings/scalars.ts";
import type { BuildOrder } from "../builder.ts";
import { builderKind } from "../builder-kind.ts";

const settings = strict({
  name,
  kind: z.literal("image").describe(KIND),
  dockerfile: treePath.default("Dockerfile").describe("The path of the Dockerfile in the repo. Left out: Dockerfile."),
  context: treePath.default(".").describe("The folder of the build context in the repo. Left out: the root."),
  paths,
  platforms: z
    .array(text.regex(/^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9]+)?$/, { error: "a platform, such as linux/amd64" }))
    .max(10, { error: "at most 10 platforms" })
    .default([])
    .describe("The platform of the image, such as linux/amd64. Left out: the engine's own."),
  args: z
    .record(argumentName, argument, { error: "a map of build arguments" })
    .default({})
    .describe("Build arguments, for ARG in the Dockerfile."),
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

/** Builds images from a Dockerfile, with a Docker Engine. */
export const image = builderKind<BuildOrder>({
  settings: () => settings,
  async open({ docker, intake, log, registryAuth, network }) {
    const { imageBuilder } = await import("../image.ts");
    return imageBuilder({ docker: await docker(), intake, log, registryAuth, network });
  },
});
