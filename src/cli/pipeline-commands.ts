import type { Command } from "commander";
import { configOf } from "./config-option.ts";
import { ENVIRONMENT, examples } from "./help.ts";

/** Adds the commands that work on a pipeline before it is pushed. */
export function addPipelineCommands(program: Command): void {
  addInit(program);
  addLint(program);
  addBuild(program);
}

interface Common {
  config?: string;
  repo?: string;
}

/** Adds a command on the checkout in a folder, with the options that all of them have. */
function add(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .argument("[dir]", "a folder of the checkout", ".")
    .option("--config <file>", "the server's configuration (env: DELIVERD_CONFIG)")
    .option("--repo <repo>", "what the repo is called; left out: by the remote of the checkout");
}

function addInit(program: Command): void {
  add(program, "init", "write a pipeline for what a checkout holds")
    .option("--print", "print the pipeline, and write nothing")
    .addHelpText("after", examples("init", "init --print --config deliverd.yml"))
    .action(async (dir: string, own: Common & { print?: boolean }) => {
      const { init } = await import("./init/index.ts");
      await init({ ...own, dir, config: configOf(program, own) });
    });
}

function addLint(program: Command): void {
  add(program, "lint", "check the pipeline of a checkout before it is pushed")
    .option("--server [url]", "hold it to the rules of this server; without a URL: DELIVERD_SERVER")
    .option("--json", "print JSON")
    .addHelpText("after", ENVIRONMENT)
    .addHelpText("after", examples("lint", "lint --config deliverd.yml", "lint --server https://deliverd.example.com"))
    .action(async (dir: string, own: Common & { server?: string | true; json?: boolean }) => {
      const { lint } = await import("./lint/index.ts");
      await lint({ ...own, dir, config: configOf(program, own) });
    });
}

function addBuild(program: Command): void {
  add(program, "build", "run the pipeline of a checkout on this machine")
    .option("--artifact <name>", "only this artifact")
    .option("--publish", "publish under the names that the server would write")
    .option("--json", "print JSON")
    .addHelpText("after", examples("build", "build --artifact api --config deliverd.yml", "build --publish"))
    .action(async (dir: string, own: Common & { artifact?: string; publish?: boolean; json?: boolean }) => {
      const { build } = await import("./build/index.ts");
      await build({ ...own, dir, config: configOf(program, own) });
    });
}
