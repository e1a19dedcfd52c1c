import type { Command } from "commander";
import type { DeliveryView } from "../api/delivery-view.ts";
import { type ClientOptions, request, requestJson } from "./client.ts";
import { type ClientFlags, clientCommand, connect, note, print } from "./client-command.ts";
import { EXIT, Failure } from "./exit.ts";
import { findDeliveryId } from "./find-delivery.ts";
import { followLog } from "./follow-log.ts";
import { terminalSafe } from "./terminal.ts";

/** `deliverd logs`. */
export function addLogs(program: Command): void {
  clientCommand(program, "logs", "print a delivery's log", [
    "logs k3v9x0a1b2c4",
    "logs --follow acme/api@ab12cd3",
    "logs --follow --json k3v9x0a1b2c4",
  ])
    .argument("<delivery>", "its id, or <repo>@<sha>")
    .option("-f, --follow", "go on until the delivery ends; 1 is the exit code if it was not delivered")
    .action(async (delivery: string, flags: ClientFlags & { follow?: boolean }, command: Command) => {
      const options = await connect(command);
      const id = await findDeliveryId(options, delivery);
      if (flags.follow) await follow(options, id, flags);
      else await printLog(options, id, flags);
    });
}

async function printLog(options: ClientOptions, id: string, flags: ClientFlags): Promise<void> {
  const log = await (await request(options, `/api/v1/deliveries/${id}/log`)).text();
  if (flags.json) return print(flags, { log }, () => log);
  process.stdout.write(terminalSafe(log));
  if (log !== "") return;
  const { state, because } = await requestJson<DeliveryView>(options, `/api/v1/deliveries/${id}`);
  note(`The log is empty. The delivery is ${state}: ${because}`);
}

/** As text, or as one JSON object per line: `{ log }` for a part of the log, `{ state, because }` for a change. */
async function follow(options: ClientOptions, id: string, { json }: ClientFlags): Promise<void> {
  const printLine = (text: string) => process.stdout.write(`${terminalSafe(text)}\n`);
  const last = await followLog(options, id, {
    onText: (log) => printLine(json ? JSON.stringify({ log }) : log),
    onState: (state) => json && printLine(JSON.stringify(state)),
  });
  if (last.state === "delivered") return;
  throw new Failure(EXIT.failed, `The delivery ended as ${last.state}: ${last.because}`);
}
