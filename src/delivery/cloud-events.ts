import { packageUrlOf } from "./package-url.ts";
import { releaseView } from "./release-view.ts";
import type { Release } from "./types.ts";

/** What a notice says, as its CloudEvent's type. */
export const PUBLISHED_EVENT_TYPE = "dev.cdevents.artifact.published.0.3.0";
const CI_ENDED = "dev.cdevents.pipelinerun.finished.0.3.0";

/**
 * "This release is ready to deploy", as a structured CloudEvent 1.0 around a CDEvent (CDEvents 0.5.1, its binding to
 * CloudEvents). A function of the release: sent again, it is the same to the byte. `source` is this server's public URL.
 */
export function publishedEvent(release: Release, source: string): Record<string, unknown> {
  const facts = {
    id: `release-${release.id}`,
    type: PUBLISHED_EVENT_TYPE,
    time: release.releasedAt,
    subject: packageUrlOf(release),
  };
  return cloudEvent({ ...facts, source, content: {}, customData: factsOf(release) });
}

/** What may be learnt of a commit when it is too late: its CI turned red, its branch left it, a person cancelled it. */
export type AfterReleaseCause = "ci-red" | "gone" | "cancelled";

/**
 * "The CI of a commit that is released already ended in failure", or what else would have kept it back: nothing is taken back, and whoever
 * deployed it may want to know. One a release and cause, however often its CI turns. `time` (ISO 8601): when that was seen.
 */
export function afterReleaseEvent(
  release: Release,
  source: string,
  { what, errors, time }: { what: AfterReleaseCause; errors: string; time: string },
): Record<string, unknown> {
  const facts = { id: `${what}-${release.id}`, type: CI_ENDED, time, subject: `${release.repo}@${release.sha}` };
  return cloudEvent({ ...facts, source, content: { outcome: "failure", errors }, customData: factsOf(release) });
}

interface Told {
  id: string;
  type: string;
  source: string;
  time: string;
  subject: string;
  content: Record<string, string>;
  customData: Record<string, unknown>;
}

function cloudEvent({ id, type, source, time, subject, content, customData }: Told): Record<string, unknown> {
  return {
    specversion: "1.0",
    id,
    source,
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data: {
      context: { specversion: "0.5.1", id, source, type, timestamp: time },
      subject: { id: subject, source, content },
      customData,
      customDataContentType: "application/json",
    },
  };
}

function factsOf(release: Release): Record<string, unknown> {
  const { repo, sha, ref, artifact, kind, digest, versions, deliveryId, files, locations } = releaseView(release);
  return { repo, sha, ref, artifact, kind, digest, versions, deliveryId, files, locations };
}
