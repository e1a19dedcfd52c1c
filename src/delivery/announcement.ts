import { PackageURL } from "packageurl-js";
import type { Location, Release } from "./types.ts";

/** What a notice says, as its CloudEvent's type. */
export const PUBLISHED = "dev.cdevents.artifact.published.0.3.0";
const CI_ENDED = "dev.cdevents.pipelinerun.finished.0.3.0";

/**
 * "This release is ready to deploy", as a structured CloudEvent 1.0 around a CDEvent (CDEvents 0.5.1, its binding to
 * CloudEvents). A function of the release: sent again, it is the same to the byte. `source` is this server's public URL.
 */
export function publishedEvent(release: Release, source: string): Record<string, unknown> {
  const facts = { id: `release-${release.id}`, type: PUBLISHED, time: release.releasedAt, subject: purlOf(release) };
  return cloudEvent({ ...facts, source, content: {}, customData: factsOf(release) });
}

/**
 * "The CI of a commit that is released already ended in failure": nothing is taken back, and whoever deployed it may want
 * to know. One a release, however often its CI turns. `time` (ISO 8601): when that was seen.
 */
export function turnedRedEvent(
  release: Release,
  source: string,
  { errors, time }: { errors: string; time: string },
): Record<string, unknown> {
  const facts = { id: `ci-red-${release.id}`, type: CI_ENDED, time, subject: `${release.repo}@${release.sha}` };
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
  const { repo, sha, ref, artifact, digest, versions, deliveryId, locations } = release;
  return { repo, sha, ref, artifact, digest, versions, deliveryId, locations };
}

/** The package URL of an image (purl type `oci`): its last name part by digest, and the repository it can be had from. */
function purlOf(release: Release): string {
  const [location] = release.locations;
  const repository = location === undefined ? null : repositoryUrl(location);
  const name = repository?.split("/").at(-1) ?? release.artifact;
  const qualifiers = repository === null ? undefined : { repository_url: repository };
  return new PackageURL("oci", undefined, name, release.digest, qualifiers, undefined).toString();
}

/** `registry.example.com/acme/api`: as the pull command has it, since a registry may be reached by another host than its API. */
function repositoryUrl(location: Location): string {
  const pulled = /(\S+)@sha256:/.exec(location.pull)?.[1]?.replace(/^[a-z-]+:\/\//, "");
  return pulled ?? `${new URL(location.url).host}/${location.name.replace(/:[^:/]*$/, "")}`;
}
