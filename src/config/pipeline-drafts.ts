import * as z from "zod";
import { builderOf } from "../builders/index.ts";
import { DEFAULT_TAGS } from "../delivery/plan.ts";
import type { ArtifactDraft } from "../delivery/plan-problems.ts";
import type { ArtifactKind } from "../delivery/types.ts";
import { treePath } from "../settings/artifact.ts";

const destination = z.looseObject({
  to: z.string(),
  as: z.string().nullable().catch(null),
  tags: z
    .array(z.string())
    .max(20)
    .catch([...DEFAULT_TAGS]),
});

const artifact = z.looseObject({
  name: z.string().catch(""),
  kind: z.enum(Object.keys(builderOf) as [ArtifactKind]),
  publish: z.array(destination.nullable().catch(null)).max(20).catch([]),
  dockerfile: treePath.default("Dockerfile").nullable().catch(null),
  context: treePath.default(".").nullable().catch(null),
  paths: z.array(z.string()).max(100).catch([]),
  args: z.record(z.string(), z.string()).catch({}),
  target: z.string().nullable().catch(null),
  secrets: z.array(z.string()).max(50).catch([]),
  build: z.looseObject({ secrets: z.array(z.string()).max(50).catch([]) }).catch({ secrets: [] }),
});

const file = z
  .looseObject({ artifacts: z.array(artifact.nullable().catch(null)).max(50).catch([]) })
  .catch({ artifacts: [] });

/**
 * What can be read of the artifacts in a pipeline file that the schema refuses, so that all problems of the file are
 * reported at once. Null: nothing of that artifact.
 */
export function draftsOf(data: unknown): (ArtifactDraft | null)[] {
  return file.parse(data).artifacts.map((each) => {
    if (each === null) return null;
    const { kind, publish, build, name, dockerfile, context, paths, args, target } = each;
    const isImage = kind === "image";
    const secrets = isImage ? each.secrets : build.secrets;
    return {
      ...{ name, kind, dockerfile, context, paths, args, target, secrets },
      publish: publish.map((to) =>
        to === null || (isImage && to.as === null) ? null : { to: to.to, as: to.as, tags: isImage ? to.tags : [] },
      ),
    };
  });
}
