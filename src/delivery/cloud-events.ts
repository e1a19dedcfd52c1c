import { CI_ENDED_EVENT_TYPE, PUBLISHED_EVENT_TYPE } from "./event-types.ts";
import { packageUrlOf } from "./package-url.ts";
import { releaseView } from "./release-view.ts";
import type { Release } from "./types.ts";

/**
 * The event "this release is ready to deploy": a structured CloudEvent 1.0 that contains a CDEvent (CDEvents 0.5.1). It
 * depends only on the release, so that it is the same to the byte each time it is sent.
 * @param source this server's public URL
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

/**
 * What came too late to stop a release: its CI turned red, no ref holds its commit any more, or a person cancelled it.
 */
export type AfterReleaseCause = "ci-red" | "gone" | "cancelled";

/**
 * The event that a release should not have been made: its CI failed afterwards, for example. The release stays, but
 * whoever deployed it may want to know. There is one event for each release and cause.
 * @param late `time`: when it was seen (ISO 8601)
 */
export function afterReleaseEvent(
  release: Release,
  source: string,
  { what, errors, time }: { what: AfterReleaseCause; errors: string; time: string },
): Record<string, unknown> {
  const facts = {
    id: `${what}-${release.id}`,
    type: CI_ENDED_EVENT_TYPE,
    time,
    subject: `${release.repo}@${release.sha}`,
  };
  return cloudEvent({ ...facts, source, content: { outcome: "failure", errors }, customData: factsOf(release) });
}

interface EventFacts {
  id: string;
  type: string;
  source: string;
  time: string;
  subject: string;
  content: Record<string, string>;
  customData: Record<string, unknown>;
}

function cloudEvent({ id, type, source, time, subject, content, customData }: EventFacts): Record<string, unknown> {
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
