import * as z from "zod";
import { builderKinds, builderOf } from "../builders/index.ts";
import { DEFAULT_GATE } from "../delivery/plan.ts";
import type { ArtifactKind, ArtifactPlan, Gate } from "../delivery/types.ts";
import { listOf } from "../settings/artifact.ts";
import { apps, duration, formBy, globs, oneOf, strict } from "../settings/scalars.ts";

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
        required: globs
          .default([])
          .describe("Checks that must pass, as names or globs. Left out: what the host requires, else all checks."),
        apps: apps
          .nullable()
          .default(null)
          .describe("Only the checks of these apps count, by their slugs. Left out: the checks of all apps."),
        settle: duration
          .prefault("5s")
          .describe("Without required checks: how long no new report may have come. Left out: 5s."),
        timeout: duration
          .prefault("6h")
          .describe("A commit whose CI is not green after this time fails. Left out: 6h."),
      }),
    ],
    { error: CI },
  )
  .transform((value): Gate => (value === "none" ? { ...DEFAULT_GATE, ci: "none" } : { ci: "required", ...value }));

/** `.deliverd.yml`. */
export const pipelineSchema = strict({
  version: z.literal(1, { error: "1, the only version there is" }).describe("The version of this file's format: 1."),
  on: strict({
    branches: globs.default([]).describe("Branches to deliver, as names or globs. Left out: none."),
    tags: globs.default([]).describe("Git tags to deliver, as names or globs. Left out: none."),
  })
    .refine((on) => on.branches.length + on.tags.length > 0, {
      error: "at least one branch or tag; leave `on` out for the default branch and v* tags",
    })
    .nullable()
    .default(null)
    .describe("Which branches and tags are delivered. Left out: the default branch, and tags v*."),
  ci: ci.default(DEFAULT_GATE).describe("When CI counts as green. none: no CI is needed."),
  supersede: z
    .boolean({ error: "true or false" })
    .default(false)
    .describe("true: a newer commit of the branch ends this one's unfinished delivery. Left out: false."),
  lfs: oneOf("warn", "refuse")
    .default("warn")
    .describe(
      "Pointers of Git LFS in the tree: warn (the log names them) or refuse (the build fails). Left out: warn.",
    ),
  artifacts: listOf(artifact, 50, "artifact")
    .refine((artifacts) => new Set(artifacts.map((one) => one.name)).size === artifacts.length, {
      error: "artifacts of different names",
    })
    .describe("What the repo delivers."),
});
