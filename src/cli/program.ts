import { Command, CommanderError, Option } from "commander";
import { VERSION } from "../run/version.ts";
import { addClientCommands } from "./client-commands.ts";
import { addCompletion } from "./completion.ts";
import { configOf } from "./config-option.ts";
import type { Role } from "./data-dir.ts";
import { EXIT, EXIT_CODES } from "./exit.ts";
import { examples, globalOptions } from "./help.ts";
import { addHooksCommand } from "./hooks/command.ts";
import { addKeys } from "./keys-command.ts";
import { addPipelineCommands } from "./pipeline-commands.ts";
import { addToken } from "./token.ts";
import { addVerify } from "./verify-command.ts";

/** All commands. Each loads its code only when it is called. */
function program(): Command {
  const command = new Command("deliverd")
    .description("Builds every green commit, publishes it, and says that it is ready to deploy.")
    .version(VERSION)
    .addOption(new Option("--config <file>", "the server's configuration").env("DELIVERD_CONFIG"))
    .option("--no-color", "print no colours; NO_COLOR does the same")
    .on("option:no-color", () => {
      process.env.NO_COLOR = "1";
      delete process.env.FORCE_COLOR;
    })
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: globalOptions })
    .addHelpText("after", examples("start --config deliverd.yml", "why acme/api@ab12cd3", "help pull"))
    .addHelpText("afterAll", `\n${EXIT_CODES}`);
  const daemon = (name: string, description: string, roles: Role[]) =>
    command
      .command(name)
      .description(description)
      .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
      .addHelpText("after", examples(`${name} --config deliverd.yml`))
      .action(async (own: { config?: string }) => {
        const { runDaemon } = await import("./run.ts");
        await runDaemon(roles, configOf(command, own));
      });
  daemon("start", "run everything in one process", ["receiver", "worker"]);
  daemon("receiver", "run the receiver: webhooks, API and pages", ["receiver"]);
  daemon("worker", "run a worker: evaluates, builds, publishes, announces", ["worker"]);
  command
    .command("doctor")
    .description("check the configuration and everything it names")
    .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
    .option("--json", "print JSON")
    .option("--test-notices", "send each target of notices a test event, which reports no release")
    .addHelpText("after", examples("doctor --config deliverd.yml", "doctor --json"))
    .action(async (own: { config?: string; json?: boolean; testNotices?: boolean }) => {
      const { doctor } = await import("./doctor.ts");
      await doctor({ config: configOf(command, own), json: own.json ?? false, testNotices: own.testNotices ?? false });
    });
  addHooksCommand(command);
  command
    .command("health")
    .description("check that the deliverd processes on this machine or in this container answer")
    .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
    .addHelpText("after", examples("health", "health --config deliverd.yml"))
    .action(async (own: { config?: string }) => {
      const { health } = await import("./health.ts");
      const lines = await health(configOf(command, own), process.env);
      process.stdout.write(`${lines.join("\n")}\n`);
    });
  addClientCommands(command);
  addToken(command);
  addPipelineCommands(command);
  addVerify(command);
  addKeys(command);
  addCompletion(command);
  return command;
}

/** Runs the command that the command line names. @throws what the command throws */
export async function runProgram(): Promise<void> {
  try {
    await program().parseAsync();
  } catch (error) {
    // Commander has printed its own message already.
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}
