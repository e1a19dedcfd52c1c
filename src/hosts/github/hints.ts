import { isUtf8 } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { Webhooks } from "@octokit/webhooks";
import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import { BadSignature, type Hint, MalformedWebhook, type RawWebhook, type WebhookReading } from "../host.ts";
import { headerOf, label, parseWebhook, readEvent, refName, sha } from "../payload.ts";
import { repository } from "./payload.ts";

type Found = Pick<Hint, "repo" | "ref" | "sha"> & { detail?: string };
/** Nearly all payloads of GitHub are smaller. */
const LARGE_BODY_BYTES = 256 * 1024;

type Reader = (body: unknown) => Found | { ignored: string };

/**
 * Verifies the SHA-256 signature over the body and normalises what the event says.
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function hintReader(webhookSecret: string): (request: RawWebhook) => Promise<WebhookReading> {
  const webhooks = new Webhooks({ secret: webhookSecret });
  return async (request) => {
    const text = await verified(webhooks, webhookSecret, request);
    const event = headerOf(request, "x-github-event");
    if (event === "") throw new MalformedWebhook("The X-GitHub-Event header is missing.");
    const body = parseWebhook(text);
    if (event === "ping") return { ignored: "ping" };
    const read = readers.get(event);
    if (read === undefined) return { ignored: `event '${event.slice(0, 100)}' is not one that deliverd acts on` };
    const found = readEvent(event, read, body);
    if ("ignored" in found) return found;
    const { detail, ...rest } = found;
    const deliveryId = headerOf(request, "x-github-delivery").slice(0, 100);
    return { hints: [{ ...rest, event: detail === undefined ? event : `${event} ${detail}`, deliveryId }] };
  };
}

/** The body as text. @throws BadSignature unless its signature is right */
async function verified(webhooks: Webhooks, secret: string, request: RawWebhook): Promise<string> {
  const { body } = request;
  const signature = headerOf(request, "x-hub-signature-256");
  if (signature === "") {
    throw new BadSignature(
      headerOf(request, "x-hub-signature") === ""
        ? "The X-Hub-Signature-256 header is missing: set the webhook's secret on GitHub to the one of this host."
        : "Only a SHA-1 signature was sent: deliverd takes X-Hub-Signature-256.",
    );
  }
  // The library signs text. Only UTF-8 text gives the same bytes again, and the library refuses an empty text.
  if (body.length === 0 || !isUtf8(body)) {
    throw new BadSignature("The body is empty or not UTF-8: it is not what GitHub has signed.");
  }
  // The library copies what it verifies. Nobody without the secret may make us copy 25 MB three times.
  if (body.length > LARGE_BODY_BYTES && !signs(secret, body, signature)) throw mismatch();
  const text = body.toString("utf8");
  if (!(await webhooks.verify(text, signature))) throw mismatch();
  return text;
}

function mismatch(): BadSignature {
  return new BadSignature(
    "The signature does not match the body: compare the webhook's secret on GitHub with the one of this host.",
  );
}

/** Whether the signature is right for the raw bytes, compared in constant time. */
function signs(secret: string, body: Buffer, signature: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const push = z.object({
  ref: refName,
  after: sha,
  deleted: z.boolean().nullish(),
  head_commit: z.object({ id: sha }).nullish(),
  repository,
});

function readPush(body: unknown): Found | { ignored: string } {
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

function readStatus(body: unknown): Found | { ignored: string } {
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
const readers = new Map<string, Reader>([
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
