import { Argument, type Command } from "commander";
import { examples } from "./help.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** `deliverd completion`. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script with which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        "completion bash > ~/.local/share/bash-completion/completions/deliverd",
        "completion zsh > ~/.zfunc/_deliverd",
        "completion fish > ~/.config/fish/completions/deliverd.fish",
      ),
    )
    .action(async (shell: Shell) => {
      process.stdout.write(await completionOf(shell, program));
    });
}

async function completionOf(shell: Shell, program: Command): Promise<string> {
  const { completedCommand } = await import("./completion/tree.ts");
  const tree = completedCommand(program);
  const name = program.name();
  switch (shell) {
    case "bash":
      return (await import("./completion/bash.ts")).bashCompletion(tree, name);
    case "zsh":
      return (await import("./completion/zsh.ts")).zshCompletion(tree, name);
    case "fish":
      return (await import("./completion/fish.ts")).fishCompletion(tree, name);
  }
}
