import * as z from "zod";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import { parseRepoPath } from "../../delivery/repo-name.ts";
import type { HostRepo, Order, RawWebhook, WebhookReading } from "../host.ts";
import { headerOf, label, parseWebhook, printableText, readEvent, refName, sha } from "../payload.ts";
import type { StandardProof } from "../standard-proof.ts";

/** As many segments as a name may have, each with its most characters. */
const MAX_PATH_LENGTH = 6_200;

/** The path of a repo is its identity: a server without an API has no other. */
const repoPath = printableText(MAX_PATH_LENGTH).transform((text, context): HostRepo => {
  const path = parseRepoPath(text);
  if (path !== null) return { hostId: text, ...path, defaultBranch: null };
  context.addIssue("is not <owner>/<name>");
  return z.NEVER;
});

type Reader = (body: unknown, deliveryId: string) => WebhookReading;

/**
 * Verifies a webhook and reads its small body: docs/reference/hosts/generic.md. A type that is not known is ignored.
 * @param now ms since the epoch
 */
export function hintReader(
  proof: StandardProof,
  now: () => number = Date.now,
): (request: RawWebhook) => Promise<WebhookReading> {
  return async (request) => {
    proof.verify(request, now());
    const body = parseWebhook(request.body.toString("utf8"));
    const { type } = readEvent("webhook", (value) => typed.parse(value), body);
    const read = readers.get(type);
    if (read === undefined) return { ignored: `type '${type.slice(0, 100)}' is not one that deliverd acts on` };
    return readEvent(type, (value) => read(value, headerOf(request, "webhook-id").slice(0, 100)), body);
  };
}

const typed = z.object({ type: label });
const push = z.object({ repo: repoPath, ref: refName, sha });

function readPush(body: unknown, deliveryId: string): WebhookReading {
  const { repo, ref, sha } = push.parse(body);
  const isBranch = ref.startsWith(BRANCHES);
  if (!isBranch && !ref.startsWith(TAGS)) return { ignored: "neither a branch nor a tag was pushed" };
  // git itself tells its hooks of a deleted ref by zeros: https://git-scm.com/docs/githooks#post-receive
  if (/^0+$/.test(sha)) return { hints: [{ repo, event: "push deleted", deliveryId, ref, sha: null }] };
  // The new value of an annotated tag is the tag object.
  return { hints: [{ repo, event: "push", deliveryId, ref, sha: isBranch ? sha : null }] };
}

const commit = z.object({ repo: repoPath, sha });

function readCi(body: unknown, deliveryId: string): WebhookReading {
  const { repo, sha } = commit.parse(body);
  return { hints: [{ repo, event: "ci", deliveryId, ref: null, sha }] };
}

const order = commit.extend({ person: printableText(200) });

function readOrder(action: Order["action"]): Reader {
  return (body, deliveryId) => {
    const { repo, sha, person } = order.parse(body);
    return { hints: [], orders: [{ repo, sha, action, person, event: action, deliveryId }] };
  };
}

const readers = new Map<string, Reader>([
  ["push", readPush],
  ["ci", readCi],
  ["retry", readOrder("retry")],
  ["cancel", readOrder("cancel")],
  ["ping", () => ({ ignored: "ping" })],
]);
