import type { Command } from "commander";
import type { DeliveryView } from "../api/delivery-view.ts";
import { requestJson } from "./client.ts";
import { type ClientFlags, clientCommand, connect, print } from "./client-command.ts";
import { findDeliveryId } from "./find-delivery.ts";
import { terminalSafe } from "./terminal.ts";

/** `deliverd retry` and `deliverd cancel`. */
export function addChange(program: Command, change: "retry" | "cancel", description: string): void {
  clientCommand(program, change, description, [`${change} k3v9x0a1b2c4`, `${change} acme/api@ab12cd3`])
    .argument("<delivery>", "its id, or <repo>@<sha>")
    .action(async (delivery: string, flags: ClientFlags, command: Command) => {
      const options = await connect(command);
      const path = `/api/v1/deliveries/${await findDeliveryId(options, delivery)}/${change}`;
      const view = await requestJson<DeliveryView>(options, path, { method: "POST" });
      await print(flags, view, () => terminalSafe(`${view.id} ${view.state}: ${view.because}`));
    });
}
