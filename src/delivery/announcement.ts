import { PackageURL } from "packageurl-js";
import type { Location, Release } from "./types.ts";

const TYPE = "dev.cdevents.artifact.published.0.3.0";

/**
 * "This release is ready to deploy", as a structured CloudEvent 1.0 around a CDEvent (CDEvents 0.5.1, its binding to
 * CloudEvents). A function of the release: sent again, it is the same to the byte. `source` is this server's public URL.
 */
export function publishedEvent(release: Release, source: string): Record<string, unknown> {
  const id = `release-${release.id}`;
  const subject = purlOf(release);
  return {
    specversion: "1.0",
    id,
    source,
    type: TYPE,
    subject,
    time: release.releasedAt,
    datacontenttype: "application/json",
    data: {
      context: { specversion: "0.5.1", id, source, type: TYPE, timestamp: release.releasedAt },
      subject: { id: subject, source, content: {} },
      customData: {
        repo: release.repo,
        sha: release.sha,
        ref: release.ref,
        artifact: release.artifact,
        digest: release.digest,
        versions: release.versions,
        deliveryId: release.deliveryId,
        locations: release.locations,
      },
      customDataContentType: "application/json",
    },
  };
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
