import type { Location, Release } from "../delivery/types.ts";
import { html, type Markup } from "./html.ts";

/** A table with one row per release. */
export function releaseTable(releases: Release[]): Markup {
  if (releases.length === 0) return html`<p>None yet.</p>`;
  return html`<table><tr><th>Artifact</th><th>Versions</th><th>Repo</th><th>Digest</th><th>Where</th></tr>
${releases.map(
  (release) =>
    html`<tr><td>${release.artifact}</td><td>${release.versions.join(", ")}</td><td><a href="/deliveries/${release.deliveryId}">${release.repo}</a></td><td><code>${release.digest}</code></td><td>${release.locations.map((each) => html`${each.registry} ${each.repository}:${each.tag}<br>`)}</td></tr>`,
)}</table>`;
}

/** One release: its files, its locations, and how to fetch it. */
export function releaseSection(release: Release): Markup {
  const { artifact, kind, version, versions, digest, files, locations } = release;
  return html`<h3>${artifact} ${versions.join(", ")} <small>${kind}</small></h3>
<p><code>${digest}</code></p>
<p><code>deliverd pull ${artifact}@${version}</code></p>${fileTable(files)}
<table><tr><th>Registry</th><th>Name</th><th>How to fetch it there</th></tr>${locations.map(locationRow)}</table>`;
}

function fileTable(files: Release["files"]): Markup {
  if (files.length === 0) return html``;
  return html`<table><tr><th>File</th><th>Bytes</th><th>Digest</th></tr>
${files.map((file) => html`<tr><td>${file.name}</td><td>${file.size}</td><td><code>${file.digest}</code></td></tr>`)}</table>`;
}

function locationRow({ registry, repository, tag, pull }: Location): Markup {
  return html`<tr><td>${registry}</td><td>${repository}:${tag}</td><td><code>${pull}</code></td></tr>`;
}
