import { type Command, Option } from "commander";
import type { DeliveryView } from "../api/delivery-view.ts";
import { DELIVERY_STATES } from "../delivery/delivery-states.ts";
import { parseLimit, parseRepo, parseSha } from "./arguments.ts";
import { type ClientFlags, clientCommand, connect } from "./client-command.ts";
import { listAll, printList } from "./lists.ts";
import { stateStyle } from "./state-style.ts";
import type { Column } from "./table.ts";
import { ago } from "./times.ts";

const DEFAULT_LIMIT = 50;

interface Filter {
  repo?: string;
  sha?: string;
  state?: string;
  limit: number;
}

/** `deliverd deliveries`. */
export function addDeliveries(program: Command): void {
  clientCommand(program, "deliveries", "list deliveries, newest first", [
    "deliveries --repo acme/api --state failed",
    "deliveries --sha ab12cd3",
    "deliveries --limit 500 --json",
  ])
    .option("--repo <repo>", "only of this repo", parseRepo)
    .option("--sha <sha>", "only of this commit; the first 7 digits are enough", parseSha)
    .addOption(new Option("--state <state>", "only in this state").choices(DELIVERY_STATES))
    .option("--limit <n>", "only the newest n", parseLimit, DEFAULT_LIMIT)
    .action(async (flags: ClientFlags & Filter, command: Command) => {
      const { repo, sha, state, limit } = flags;
      const options = await connect(command);
      const page = await listAll<DeliveryView>(options, "/api/v1/deliveries", { repo, sha, state }, limit);
      await printList(flags, page, COLUMNS, "deliveries");
    });
}

const COLUMNS: Column<DeliveryView>[] = [
  { heading: "DELIVERY", text: ({ id }) => id },
  { heading: "STATE", text: ({ state }) => state, style: ({ state }) => stateStyle(state) },
  { heading: "REPO", text: ({ repo }) => repo, canShrink: true },
  { heading: "COMMIT", text: ({ sha }) => sha.slice(0, 7) },
  { heading: "SEEN", text: ({ createdAt }) => ago(createdAt), style: () => "gray", isForTerminal: true },
  { heading: "BECAUSE", text: ({ because }) => because.split("\n", 1)[0] ?? "", canShrink: true },
];
