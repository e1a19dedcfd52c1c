import type { Command } from "commander";
import type { ReleaseView } from "../delivery/release-view.ts";
import { parseArtifact, parseLimit, parseRange, parseRepo, parseSha, parseTime } from "./arguments.ts";
import { type ClientFlags, clientCommand, connect } from "./client-command.ts";
import { listAll, printList } from "./lists.ts";
import type { Column } from "./table.ts";
import { ago } from "./times.ts";

interface Filter {
  repo?: string;
  artifact?: string;
  sha?: string;
  branch?: string;
  range?: string;
  since?: string;
  until?: string;
  limit?: number;
}

/** `deliverd releases`. */
export function addReleases(program: Command): void {
  clientCommand(program, "releases", "list releases, newest first", [
    "releases --artifact api --limit 20",
    "releases --repo acme/api --branch main",
    'releases payments --range "^2" --since 2026-11-01',
    "releases --sha ab12cd3 --json",
  ])
    .option("--repo <repo>", "only of this repo", parseRepo)
    .option("--artifact <name>", "only of this artifact", parseArtifact)
    .option("--sha <sha>", "only of this commit; the first 7 digits are enough", parseSha)
    .option("--branch <branch>", "only of this branch")
    .option("--range <range>", "only versions in this range, such as ^1.2.0", parseRange)
    .option("--since <time>", "only those released at this time or later", parseTime)
    .option("--until <time>", "only those released before this time", parseTime)
    .option("--limit <n>", "only the newest n; left out: all, back to the first", parseLimit)
    .argument("[words...]", "only where these are in the names, or begin the version or commit id")
    .action(async (words: string[], flags: ClientFlags & Filter, command: Command) => {
      const { repo, artifact, sha, branch, range, since, until, limit = Number.POSITIVE_INFINITY } = flags;
      const q = words.length === 0 ? undefined : words.join(" ");
      const query = { q, repo, artifact, sha, branch, version: range, since, until };
      const page = await listAll<ReleaseView>(await connect(command), "/api/v1/releases", query, limit);
      await printList(flags, page, COLUMNS, "releases");
    });
}

const COLUMNS: Column<ReleaseView>[] = [
  { heading: "ARTIFACT", text: ({ artifact }) => artifact, canShrink: true },
  { heading: "VERSIONS", text: ({ versions }) => versions.join(", "), canShrink: true, style: () => "green" },
  { heading: "REPO", text: ({ repo }) => repo, canShrink: true },
  { heading: "DIGEST", text: ({ digest }) => digest, terminalText: ({ digest }) => shortDigest(digest) },
  { heading: "RELEASED", text: ({ releasedAt }) => releasedAt, terminalText: ({ releasedAt }) => ago(releasedAt) },
];

/** Enough to compare by eye. `--json` has the whole digest, and so has the output to a file. */
function shortDigest(digest: string): string {
  return digest.slice(0, "sha256:".length + 12);
}
