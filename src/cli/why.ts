import type { Command } from "commander";
import type { Why } from "../api/why.ts";
import { parseCommit } from "./arguments.ts";
import { requestJson } from "./client.ts";
import { type ClientFlags, clientCommand, connect, print } from "./client-command.ts";
import { EXIT } from "./exit.ts";
import { stateStyle } from "./state-style.ts";
import type { Column } from "./table.ts";
import { paint, type Screen, screenOf, terminalSafe } from "./terminal.ts";
import { localTime } from "./times.ts";

/** `deliverd why`. */
export function addWhy(program: Command): void {
  clientCommand(program, "why", "tell why a commit was delivered, or was not", [
    "why acme/api@ab12cd3",
    "why github/acme/api@ab12cd3 --json",
  ])
    .argument("<commit>", "<repo>@<sha>; the first 7 digits are enough", parseCommit)
    .action(async (commit: { repo: string; sha: string }, flags: ClientFlags, command: Command) => {
      const why = await requestJson<Why>(await connect(command), `/api/v1/why?${new URLSearchParams({ ...commit })}`);
      await print(flags, why, () => format(screenOf(), why));
      if (why.state === "unknown") process.exitCode = EXIT.notFound;
    });
}

const COLUMNS: Column<Why["events"][number]>[] = [
  { heading: "AT", text: ({ at }) => at, terminalText: ({ at }) => localTime(at), style: () => "gray" },
  { heading: "EVENT", text: ({ kind }) => kind },
  { heading: "WHAT", text: ({ text }) => text },
];

async function format(screen: Screen, { repo, sha, state, because, events }: Why): Promise<string> {
  const { formatTable } = await import("./table.ts");
  const title = `${terminalSafe(repo)}@${sha}: ${paint(screen, stateStyle(state), state)}`;
  const table = events.length === 0 ? [] : ["", formatTable(screen, COLUMNS, events)];
  return [title, terminalSafe(because), ...table].join("\n");
}
