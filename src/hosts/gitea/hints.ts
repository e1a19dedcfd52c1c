import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import { type Hint, MalformedWebhook, type RawWebhook, type WebhookReading } from "../host.ts";
import { headerOf, label, parseWebhook, readEvent, refName, sha } from "../payload.ts";
import { repository } from "./payload.ts";
import type { WebhookProof } from "./signature.ts";

type Found = Pick<Hint, "repo" | "ref" | "sha"> & { detail?: string };
type Reader = (body: unknown) => Found | { ignored: string };

/**
 * Verifies a webhook of Gitea or Forgejo and normalises what its event says. Both also send the headers of GitHub's
 * webhooks, so those say nothing about the host. https://docs.gitea.com/usage/webhooks
 */
export function hintReader(proof: WebhookProof): (request: RawWebhook) => Promise<WebhookReading> {
  return async (request) => {
    proof.verify(request);
    const event = headerOf(request, "x-gitea-event") || headerOf(request, "x-forgejo-event");
    if (event === "") throw new MalformedWebhook("The X-Gitea-Event header is missing.");
    const body = parseWebhook(request.body.toString("utf8"));
    const read = readers.get(event);
    if (read === undefined) return { ignored: `event '${event.slice(0, 100)}' is not one that deliverd acts on` };
    const found = readEvent(event, read, body);
    if ("ignored" in found) return found;
    const { detail, ...rest } = found;
    const deliveryId = (headerOf(request, "x-gitea-delivery") || headerOf(request, "x-forgejo-delivery")).slice(0, 100);
    return { hints: [{ ...rest, event: detail === undefined ? event : `${event} ${detail}`, deliveryId }] };
  };
}

const push = z.object({ ref: refName, after: sha, head_commit: z.object({ id: sha }).nullish(), repository });

function readPush(body: unknown): Found | { ignored: string } {
  const { ref, after, head_commit, repository } = push.parse(body);
  const isBranch = ref.startsWith(BRANCHES);
  if (!isBranch && !ref.startsWith(TAGS)) return { ignored: "neither a branch nor a tag was pushed" };
  // A deleted ref has the id of all zeros.
  if (/^0+$/.test(after)) return { repo: repository, ref, sha: null, detail: "deleted" };
  // For an annotated tag, `after` is the tag object. Only head_commit names the commit.
  return { repo: repository, ref, sha: isBranch ? after : (head_commit?.id ?? null) };
}

const changedRef = z.object({ ref: refName, ref_type: z.enum(["branch", "tag"]), repository });

/** A ref that was created or deleted. Its id may be that of a tag object. */
function readRef(detail?: string): Reader {
  return (body) => {
    const { ref, ref_type, repository } = changedRef.parse(body);
    const full = (ref_type === "branch" ? BRANCHES : TAGS) + ref;
    return { repo: repository, ref: full, sha: null, ...(detail === undefined ? {} : { detail }) };
  };
}

const status = z.object({ sha, context: label, state: label, repository });

function readStatus(body: unknown): Found | { ignored: string } {
  const { sha, context, state, repository } = status.parse(body);
  if (isOwnContext(context)) return { ignored: "our own report" };
  return { repo: repository, ref: null, sha, detail: state };
}

const headSha = z.object({ head_sha: sha });
const workflowRun = z.object({ action: label, workflow_run: headSha, repository });
const workflowJob = z.object({ action: label, workflow_job: headSha, repository });

/** Forgejo's name for a workflow run, and its only event of CI. */
const actionRun = z.object({ action: label, run: z.object({ commit_sha: sha, repository }) });

function readActionRun(body: unknown): Found {
  const { action, run } = actionRun.parse(body);
  return { repo: run.repository, ref: null, sha: run.commit_sha, detail: action };
}

const readers = new Map<string, Reader>([
  ["push", readPush],
  ["create", readRef()],
  ["delete", readRef("deleted")],
  ["status", readStatus],
  [
    "workflow_run",
    (body) => {
      const { action, workflow_run, repository } = workflowRun.parse(body);
      return { repo: repository, ref: null, sha: workflow_run.head_sha, detail: action };
    },
  ],
  [
    "workflow_job",
    (body) => {
      const { action, workflow_job, repository } = workflowJob.parse(body);
      return { repo: repository, ref: null, sha: workflow_job.head_sha, detail: action };
    },
  ],
  ["action_run_failure", readActionRun],
  ["action_run_recover", readActionRun],
  ["action_run_success", readActionRun],
]);
