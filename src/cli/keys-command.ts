import type { Command } from "commander";
import { configOf } from "./config-option.ts";
import { examples } from "./help.ts";
import { jsonText, screenOf, terminalSafe } from "./terminal.ts";

interface Flags {
  config?: string;
  json?: boolean;
  pem?: boolean;
}

/** `deliverd keys`, on the machine of the server. */
export function addKeys(program: Command): void {
  const keys = program
    .command("keys")
    .description("list the keys that sign proofs, or revoke one")
    .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
    .option("--json", "print JSON")
    .option("--pem", "print the public key that signs now")
    .addHelpText("after", examples("keys --config deliverd.yml", "keys --pem > deliverd.pub", "keys revoke QFY7…="))
    .action(async (flags: Flags) => {
      const { listKeys } = await import("./keys.ts");
      const listed = await listKeys(configOf(program, flags));
      if (flags.json) return void process.stdout.write(`${jsonText(listed)}\n`);
      if (flags.pem)
        return void process.stdout.write(listed.find(({ validUntil }) => validUntil === null)?.publicKey ?? "");
      const { formatTable } = await import("./table.ts");
      const { KEY_COLUMNS } = await import("./keys.ts");
      process.stdout.write(`${formatTable(screenOf(), KEY_COLUMNS, listed)}\n`);
    });
  keys
    .command("revoke")
    .description("say that nothing which this key signed counts any more")
    .argument("<key>", "the key's id, as `deliverd keys` lists it")
    .action(async (keyId: string) => {
      const { revoke } = await import("./keys.ts");
      await revoke(configOf(program, keys.opts<Flags>()), keyId);
      process.stdout.write(`${terminalSafe(keyId)} is revoked\n`);
    });
}
