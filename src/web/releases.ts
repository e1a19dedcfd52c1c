import type { Release } from "../delivery/types.ts";
import { html, type Markup } from "./html.ts";
import { table } from "./table.ts";
import { ago } from "./times.ts";

/** A table with one row per release. @param now ms since the epoch */
export function releaseTable(releases: Release[], now: number): Markup {
  if (releases.length === 0) return html`<p>There are none here.</p>`;
  return table(
    "Releases, newest first",
    ["Artifact", "Versions", "Repo", "Released", "Digest"],
    releases.map(({ artifact, versions, repo, digest, deliveryId, releasedAt }) => [
      artifact,
      html`<a href="/deliveries/${deliveryId}">${versions.join(", ")}</a>`,
      repo,
      ago(Date.parse(releasedAt), now),
      html`<code>${digest.slice(0, 19)}</code>`,
    ]),
  );
}

/** A form whose fields are the query of the page, so that a view is a link. */
export function releaseFilter(query: Record<string, string | undefined>): Markup {
  const field = (name: string, hint: string) =>
    html`<input name="${name}" value="${query[name]}" placeholder="${hint}" aria-label="${hint}">`;
  return html`<form class="line" role="search">${field("q", "words, version or commit")}${field("repo", "owner/name")}
${field("artifact", "artifact")}${field("branch", "branch")}${field("version", "range, as ^1.2")}<button>Find</button></form>`;
}

/** One release: its files, its locations, and how to fetch it. */
export function releaseSection(release: Release): Markup {
  const { artifact, kind, version, versions, digest, files, locations } = release;
  const pulls = locations.map(({ registry, repository, tag, pull }) => [
    registry,
    `${repository}:${tag}`,
    html`<code>${pull}</code> <button hidden data-copy="${pull}">Copy</button>`,
  ]);
  return html`<h3>${artifact} ${versions.join(", ")} <small>${kind}</small></h3>
<p><code>${digest}</code></p>
<p><code>deliverd pull ${artifact}@${version}</code></p>${fileTable(files)}
${table(`Where ${artifact} is`, ["Registry", "Name", "How to fetch it there"], pulls)}`;
}

function fileTable(files: Release["files"]): Markup {
  if (files.length === 0) return html``;
  const rows = files.map(({ name, size, digest }) => [name, size, html`<code>${digest}</code>`]);
  return table("Files", ["File", "Bytes", "Digest"], rows);
}
