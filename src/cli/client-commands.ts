import type { Command } from "commander";
import { addChange } from "./change-delivery.ts";
import { addDeliveries } from "./deliveries.ts";
import { addDiff } from "./diff.ts";
import { addLogs } from "./logs.ts";
import { addPull } from "./pull-command.ts";
import { addReleases } from "./releases.ts";
import { addWhy } from "./why.ts";

/** Adds the commands that ask a running server. */
export function addClientCommands(program: Command): void {
  addWhy(program);
  addDeliveries(program);
  addLogs(program);
  addChange(program, "retry", "try a delivery again that failed, was cancelled or was superseded");
  addChange(program, "cancel", "stop a delivery");
  addReleases(program);
  addPull(program);
  addDiff(program);
}
