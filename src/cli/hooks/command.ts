import type { Command } from "commander";
import { configOf } from "../config-option.ts";
import { examples } from "../help.ts";

const PATTERN = `
<repo> is <owner>/<name>, or a pattern in quotes such as 'acme/*'. A pattern means every repo
that it matches and that an entry of repos in the server's configuration matches, too.`;

interface Own {
  config?: string;
  json?: boolean;
}

/** Adds `hooks add|check|remove`, which ask a git host by the server's configuration. */
export function addHooksCommand(program: Command): void {
  const hooks = program
    .command("hooks")
    .description("check (the default), register or remove the webhook of a repo at its git host")
    .addHelpText("after", examples("hooks add acme/api", "hooks add 'acme/*'", "hooks acme/api"));
  const add = (name: "add" | "check" | "remove", description: string) =>
    hooks
      .command(`${name} <repo>`, { isDefault: name === "check" })
      .description(description)
      .addHelpText("after", PATTERN)
      .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
      .option("--json", "print JSON")
      .addHelpText("after", examples(`hooks ${name} acme/api --config deliverd.yml`))
      .action(async (repo: string, own: Own) => {
        const commands = await import("./index.ts");
        const out = (text: string) => process.stdout.write(text);
        await commands[name]({ config: configOf(program, own), repo, json: own.json ?? false, out });
      });
  add("add", "register the webhook, or repair it");
  add("check", "show the state of the webhook, and its last deliveries as the host saw them");
  add("remove", "remove the webhook, and no other");
}
