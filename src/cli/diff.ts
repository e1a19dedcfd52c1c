import type { Command } from "commander";
import type { Diff } from "../api/diff.ts";
import { parseArtifact, parseRepo, parseVersion } from "./arguments.ts";
import { requestJson } from "./client.ts";
import { type ClientFlags, clientCommand, connect, note, print } from "./client-command.ts";
import type { Column } from "./table.ts";
import { paint, type Screen, screenOf, terminalSafe } from "./terminal.ts";
import { ago } from "./times.ts";

/** `deliverd diff`. */
export function addDiff(program: Command): void {
  clientCommand(program, "diff", "show what changed from one release to another", [
    "diff api 1.2.3 1.3.0",
    "diff api 1.3.0 latest --repo acme/api",
  ])
    .argument("<artifact>", "the name of the artifact", parseArtifact)
    .argument("<from>", "a version, or latest", parseVersion)
    .argument("<to>", "a version, or latest", parseVersion)
    .option("--repo <repo>", "which repo's, where several have the artifact", parseRepo)
    .action(
      async (artifact: string, from: string, to: string, flags: ClientFlags & { repo?: string }, command: Command) => {
        const query = flags.repo === undefined ? "" : `?${new URLSearchParams({ repo: flags.repo })}`;
        const path = `/api/v1/releases/${artifact}/${from}..${to}${query}`;
        const diff = await requestJson<Diff>(await connect(command), path);
        await print(flags, diff, () => format(screenOf(), diff));
        if (diff.isCut) note("There are more commits or files than these.");
      },
    );
}

type Commits = NonNullable<Diff["commits"]>;
type Files = NonNullable<Diff["files"]>;

const COMMITS: Column<Commits[number]>[] = [
  { heading: "COMMIT", text: ({ sha }) => sha, terminalText: ({ sha }) => sha.slice(0, 7), style: () => "yellow" },
  { heading: "SUBJECT", text: ({ subject }) => subject, canShrink: true },
  { heading: "AUTHOR", text: ({ author }) => author, canShrink: true },
  { heading: "AT", text: ({ at }) => at, terminalText: ({ at }) => ago(at) },
];

const FILES: Column<Files[number]>[] = [
  { heading: "FILE", text: ({ path }) => path, canShrink: true },
  { heading: "CHANGE", text: ({ status }) => status },
  { heading: "ADDED", text: ({ added }) => (added === null ? "-" : String(added)), style: () => "green" },
  { heading: "REMOVED", text: ({ removed }) => (removed === null ? "-" : String(removed)), style: () => "red" },
];

async function format(screen: Screen, diff: Diff): Promise<string> {
  const { artifact, repo, from, to, sameContent, commits, commitsBack, files } = diff;
  const { formatTable } = await import("./table.ts");
  const content = sameContent ? `the same content: ${to.digest}` : `${from.digest} became ${to.digest}`;
  const lines = [`${terminalSafe(`${artifact} of ${repo}`)}: ${from.version} to ${to.version}`, content];
  if (commits === null) lines.push("The server has no mirror with both commits, so it cannot say what changed.");
  const section = <Row>(title: string, columns: Column<Row>[], rows: Row[] | null) =>
    rows === null || rows.length === 0 ? [] : ["", paint(screen, "bold", title), formatTable(screen, columns, rows)];
  return [
    ...lines,
    ...section("New commits", COMMITS, commits),
    ...section("Commits that are no longer in it", COMMITS, commitsBack),
    ...section("Files", FILES, files),
  ].join("\n");
}
