import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import type { Hint, Order } from "../host.ts";
import { label, refName, sha } from "../payload.ts";
import { repository } from "./payload.ts";

/** `event`: left out, the name of GitHub's event with the detail. */
type FoundHint = Pick<Hint, "repo" | "ref" | "sha"> & { detail?: string; event?: string };

/** What an event says: a hint, an order of a person, or why there is nothing to do. */
export type Found = FoundHint | Omit<Order, "deliveryId"> | { ignored: string };

/** @throws z.ZodError if the body is no such event */
export type Reader = (body: unknown) => Found;

const push = z.object({
  ref: refName,
  after: sha,
  deleted: z.boolean().nullish(),
  head_commit: z.object({ id: sha }).nullish(),
  repository,
});

function readPush(body: unknown): Found {
  const { ref, after, deleted, head_commit, repository } = push.parse(body);
  const isBranch = ref.startsWith(BRANCHES);
  if (!isBranch && !ref.startsWith(TAGS)) return { ignored: "neither a branch nor a tag was pushed" };
  // A deleted ref has the id of all zeros. Not every server with GitHub's API also sends `deleted`.
  if (deleted || /^0+$/.test(after)) return { repo: repository, ref, sha: null, detail: "deleted" };
  // For an annotated tag, `after` is the tag object. Only head_commit names the commit.
  return { repo: repository, ref, sha: head_commit?.id ?? (isBranch ? after : null) };
}

const create = z.object({ ref: refName, ref_type: z.enum(["branch", "tag"]), repository });

function readCreate(body: unknown): Found {
  const { ref, ref_type, repository } = create.parse(body);
  return { repo: repository, ref: (ref_type === "branch" ? BRANCHES : TAGS) + ref, sha: null };
}

const status = z.object({ sha, context: label, state: label, repository });

function readStatus(body: unknown): Found {
  const { sha, context, state, repository } = status.parse(body);
  if (isOwnContext(context)) return { ignored: "our own report" };
  return { repo: repository, ref: null, sha, detail: state };
}

const headSha = z.object({ head_sha: sha });
const checkRun = z.object({ action: label, check_run: headSha, repository });
const checkSuite = z.object({ action: label, check_suite: headSha, repository });
const workflowRun = z.object({ action: label, workflow_run: headSha, repository });

// A check of a fork names the fork's commit. It is a hint too: our mirror decides later whether the repo contains the
// commit.
export const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["push", readPush],
  ["create", readCreate],
  ["status", readStatus],
  [
    "check_run",
    (body) => {
      const { action, check_run, repository } = checkRun.parse(body);
      return { repo: repository, ref: null, sha: check_run.head_sha, detail: action };
    },
  ],
  [
    "check_suite",
    (body) => {
      const { action, check_suite, repository } = checkSuite.parse(body);
      return { repo: repository, ref: null, sha: check_suite.head_sha, detail: action };
    },
  ],
  [
    "workflow_run",
    (body) => {
      const { action, workflow_run, repository } = workflowRun.parse(body);
      return { repo: repository, ref: null, sha: workflow_run.head_sha, detail: action };
    },
  ],
]);

/** The events that a webhook of deliverd is registered for. */
export const WEBHOOK_EVENTS: readonly string[] = [...readers.keys()];
