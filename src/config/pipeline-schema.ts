import * as z from "zod";
import { builderKinds, builderOf } from "../builders/index.ts";
import { DEFAULT_GATE } from "../delivery/plan.ts";
import type { ArtifactKind, ArtifactPlan, Gate } from "../delivery/types.ts";
import { listOf } from "../settings/artifact.ts";
import { apps, duration, formBy, globs, strict } from "../settings/scalars.ts";

const kinds = Object.keys(builderOf) as ArtifactKind[];
// zod reads the value of `kind` from each schema when it makes the union; its types want them spelled out.
const forms = kinds.map((kind) => builderKinds[builderOf[kind]].settings(kind)) as unknown as [
  z.ZodObject<{ kind: z.ZodLiteral<ArtifactKind> }>,
];
const artifact = z.discriminatedUnion("kind", forms, {
  error: formBy("kind", kinds),
}) as unknown as z.ZodType<ArtifactPlan>;

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
