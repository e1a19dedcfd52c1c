import * as z from "zod";
import type { ReleaseView } from "../delivery/release-view.ts";
import { DELIVERY_STATES } from "../ledger/deliveries.ts";
import { PROOF_STATES } from "../ledger/proofs.ts";

// What the API answers. The OpenAPI document is made from these, and tests hold every answer to them.

export const time = z.iso.datetime().describe("ISO 8601, in UTC.");
export const sha = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const repo = z.string().describe("`<host>/<owner>/<name>`.");
const deliveryState = z.enum(DELIVERY_STATES);
const artifactKind = z.enum(["image", "jar", "npm", "wheel", "file", "ami"]);

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe("The cursor of the next page; null: this is the last one."),
  });
}

export const deliverySchema = z
  .object({
    id: z.string(),
    repo,
    sha,
    ref: z.string().nullable().describe("Full, as `refs/heads/main`."),
    state: deliveryState,
    because: z.string(),
    artifacts: z.array(
      z.object({
        name: z.string(),
        kind: artifactKind,
        state: z.string(),
        digest: digest.nullable(),
        version: z.string().nullable(),
      }),
    ),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .meta({ id: "Delivery" });

export const releaseSchema = z
  .object({
    id: z.string(),
    artifact: z.string(),
    kind: artifactKind,
    version: z.string(),
    versions: z.array(z.string()),
    repo,
    sha,
    ref: z.string(),
    digest,
    committedAt: time,
    releasedAt: time,
    deliveryId: z.string(),
    files: z.array(z.object({ name: z.string(), digest, size: z.int() })),
    package: z.object({ name: z.string(), version: z.string() }).nullable(),
    locations: z.array(z.object({ registry: z.string(), name: z.string(), digest, url: z.string(), pull: z.string() })),
    proof: z.enum(PROOF_STATES),
  })
  .meta({ id: "Release" }) satisfies z.ZodType<ReleaseView>;

export const whySchema = z
  .object({
    repo: z.string(),
    sha: z.string(),
    state: z.enum([...DELIVERY_STATES, "unknown"]),
    because: z.string(),
    events: z.array(z.object({ at: time, kind: z.string(), text: z.string() })),
  })
  .meta({ id: "Why" });

const words = z.array(z.string()).nullable();

export const rulesSchema = z
  .object({
    match: z.string().nullable(),
    because: z.string().nullable(),
    branches: words,
    tags: words,
    ci: z.object({ required: z.array(z.string()), apps: words }).nullable(),
    registries: z.array(
      z.object({
        key: z.string(),
        type: z.string(),
        isDefault: z.boolean(),
        allowed: z.boolean(),
        kinds: z.array(z.looseObject({ kind: artifactKind })),
      }),
    ),
    secrets: words,
  })
  .meta({ id: "Rules" });

/** A release in the catalog. */
const standingSchema = z
  .object({ id: z.string(), version: z.string(), sha, digest, committedAt: time, releasedAt: time })
  .meta({ id: "Standing" });

export const artifactSchema = z
  .object({
    artifact: z.string(),
    repo,
    kind: artifactKind,
    newest: standingSchema.describe("The release that was recorded last."),
    latest: standingSchema.nullable().describe("What `latest` means; null: none, or it is not determined yet."),
    branches: z
      .array(z.object({ branch: z.string(), release: standingSchema }))
      .describe("What stands on each branch that the artifact's pipeline watches."),
  })
  .meta({ id: "Artifact" });

export const repoSchema = z
  .object({
    repo,
    defaultBranch: z.string().nullable(),
    createdAt: time.describe("When deliverd heard of it first."),
    artifacts: z.array(artifactSchema.omit({ repo: true })),
  })
  .meta({ id: "Repo" });

export const workerSchema = z
  .object({
    id: z.string(),
    machine: z.string(),
    version: z.string(),
    slots: z.object({ total: z.int(), busy: z.int(), ahead: z.int(), free: z.int() }),
    startedAt: time,
    seenAt: time,
    deliveries: z.array(z.object({ id: z.string(), repo, sha, state: deliveryState })),
  })
  .meta({ id: "Worker" });

export const auditSchema = z
  .object({
    at: time,
    person: z.string(),
    via: z.string().describe("`token`, `session` (a page), or the key of the git host."),
    action: z.enum(["retry", "cancel", "deliver", "sign-in", "sign-out"]),
    repo: repo.nullable(),
    sha: sha.nullable(),
    outcome: z.string(),
  })
  .meta({ id: "AuditEntry" });

export const diffSchema = z
  .object({
    artifact: z.string(),
    repo,
    from: standingSchema,
    to: standingSchema,
    sameContent: z.boolean().describe("Whether both have one digest."),
    commits: z
      .array(z.object({ sha, subject: z.string(), author: z.string(), at: time }))
      .nullable()
      .describe("Newest first, those of `to` that `from` lacks; null: the mirror of the repo is not here."),
    commitsBack: z
      .array(z.object({ sha, subject: z.string(), author: z.string(), at: time }))
      .nullable()
      .describe("Those of `from` that `to` lacks, as after a step back."),
    files: z
      .array(
        z.object({
          path: z.string(),
          status: z.enum(["added", "removed", "changed"]),
          added: z.int().nullable().describe("Lines; null: the file is not text."),
          removed: z.int().nullable(),
        }),
      )
      .nullable(),
    isCut: z.boolean().describe("There are more commits or files than are shown."),
  })
  .meta({ id: "Diff" });

/** RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    candidates: z.array(z.object({ repo, sha })).optional(),
  })
  .meta({ id: "Problem" });

export const acceptedSchema = z.object({ status: z.literal("accepted"), because: z.string(), sha });

export const commitRequest = z.object({ repo: z.string(), sha: z.string() });
