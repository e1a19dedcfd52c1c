import type { Release } from "../delivery/types.ts";
import { html, type Markup } from "./html.ts";
import { table } from "./table.ts";

/** A table with one row per release. */
export function releaseTable(releases: Release[]): Markup {
  if (releases.length === 0) return html`<p>None yet.</p>`;
  return table(
    ["Artifact", "Versions", "Repo", "Digest", "Where"],
    releases.map(({ artifact, versions, repo, digest, deliveryId, locations }) => [
      artifact,
      versions.join(", "),
      html`<a href="/deliveries/${deliveryId}">${repo}</a>`,
      html`<code>${digest}</code>`,
      locations.map(({ registry, repository, tag }) => html`${registry} ${repository}:${tag}<br>`),
    ]),
  );
}

/** One release: its files, its locations, and how to fetch it. */
export function releaseSection(release: Release): Markup {
  const { artifact, kind, version, versions, digest, files, locations } = release;
  const pulls = locations.map(({ registry, repository, tag, pull }) => [
    registry,
    `${repository}:${tag}`,
    html`<code>${pull}</code>`,
  ]);
  return html`<h3>${artifact} ${versions.join(", ")} <small>${kind}</small></h3>
<p><code>${digest}</code></p>
<p><code>deliverd pull ${artifact}@${version}</code></p>${fileTable(files)}
${table(["Registry", "Name", "How to fetch it there"], pulls)}`;
}

function fileTable(files: Release["files"]): Markup {
  if (files.length === 0) return html``;
  const rows = files.map(({ name, size, digest }) => [name, size, html`<code>${digest}</code>`]);
  return table(["File", "Bytes", "Digest"], rows);
}
