import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import type { Hint, RawWebhook, WebhookReading } from "../host.ts";
import { headerOf, label, parseWebhook, readEvent, refName, sha } from "../payload.ts";
import { movedProject, project } from "./payload.ts";
import type { WebhookProof } from "./signature.ts";

type Found = Pick<Hint, "repo" | "ref" | "sha"> & { detail?: string };
type Reader = (body: unknown) => Found | { ignored: string };

/**
 * Verifies a webhook and normalises what its event says. The event is read from the body, because headers are not
 * signed. An event that is not read is ignored, never refused: GitLab switches a webhook off after four refusals.
 * https://docs.gitlab.com/user/project/integrations/webhook_events/
 * @param now ms since the epoch
 */
export function hintReader(
  proof: WebhookProof,
  now: () => number = Date.now,
): (request: RawWebhook) => Promise<WebhookReading> {
  return async (request) => {
    proof.verify(request, now());
    const body = parseWebhook(request.body.toString("utf8"));
    const event = eventOf(body);
    const read = readers.get(event);
    if (read === undefined) return { ignored: `event '${event.slice(0, 100)}' is not one that deliverd acts on` };
    const found = readEvent(event, read, body);
    if ("ignored" in found) return found;
    const { detail, ...rest } = found;
    const deliveryId = (headerOf(request, "webhook-id") || headerOf(request, "x-gitlab-event-uuid")).slice(0, 100);
    return { hints: [{ ...rest, event: detail === undefined ? event : `${event} ${detail}`, deliveryId }] };
  };
}

const kind = z.object({ object_kind: label });
/** Some events of the instance have this name only. */
const named = z.object({ event_name: label });

function eventOf(body: unknown): string {
  return kind.safeParse(body).data?.object_kind ?? named.safeParse(body).data?.event_name ?? "without a name";
}

const push = z.object({ ref: refName, after: sha, checkout_sha: sha.nullish(), project });

function readPush(body: unknown): Found | { ignored: string } {
  const { ref, after, checkout_sha, project } = push.parse(body);
  const isBranch = ref.startsWith(BRANCHES);
  if (!isBranch && !ref.startsWith(TAGS)) return { ignored: "neither a branch nor a tag was pushed" };
  // A deleted ref has the id of all zeros.
  if (/^0+$/.test(after)) return { repo: project, ref, sha: null, detail: "deleted" };
  // For an annotated tag, `after` is the tag object. Only checkout_sha names the commit.
  return { repo: project, ref, sha: checkout_sha ?? (isBranch ? after : null) };
}

const pipeline = z.object({
  object_attributes: z.object({ sha, status: label }),
  builds: z.array(z.object({ name: z.string() })).nullish(),
  project,
});

function readPipeline(body: unknown): Found | { ignored: string } {
  const { object_attributes, builds, project } = pipeline.parse(body);
  const isOurs = builds != null && builds.length > 0 && builds.every(({ name }) => isOwnContext(name));
  if (isOurs) return { ignored: "our own report" };
  return { repo: project, ref: null, sha: object_attributes.sha, detail: object_attributes.status };
}

const job = z.object({ sha, build_name: label, build_status: label, project: project.nullish() });

function readJob(body: unknown): Found | { ignored: string } {
  const { sha, build_name, build_status, project } = job.parse(body);
  if (isOwnContext(build_name)) return { ignored: "our own report" };
  if (project == null) return { ignored: "it names no project, and the event of its pipeline does" };
  return { repo: project, ref: null, sha, detail: build_status };
}

/** Only the instance's own hook says this: https://docs.gitlab.com/administration/system_hooks/ */
function readMoved(body: unknown): Found {
  return { repo: movedProject.parse(body), ref: null, sha: null };
}

const readers = new Map<string, Reader>([
  ["project_rename", readMoved],
  ["project_transfer", readMoved],
  ["push", readPush],
  ["tag_push", readPush],
  ["pipeline", readPipeline],
  ["build", readJob],
]);
