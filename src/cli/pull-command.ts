import type { Command } from "commander";
import { parseRelease, parseRepo } from "./arguments.ts";
import { type ClientFlags, clientCommand, connect, print } from "./client-command.ts";
import type { PullOrder } from "./pull.ts";
import { terminalSafe } from "./terminal.ts";

/** `deliverd pull`. */
export function addPull(program: Command): void {
  clientCommand(program, "pull", "fetch a release and verify it", [
    "pull api@1.2.3 --output ./out",
    "pull api@latest --load",
    "pull api@1.2.3 --repo acme/api --from hub",
  ])
    .argument("<release>", "<artifact>@<version>, or <artifact>@latest", parseRelease)
    .option("-o, --output <dir>", "where to put it", ".")
    .option("--repo <repo>", "which repo's, where several have one", parseRepo)
    .option("--from <registry>", "from which registry; left out: whichever has it")
    .option("--layout", "an image as the folder of an OCI layout, which --output becomes")
    .option("--load", "an image into the Docker Engine of this machine (DOCKER_HOST), as <artifact>:<version>")
    .action(async (release: Release, flags: ClientFlags & Omit<PullOrder, keyof Release>, command: Command) => {
      const { pull } = await import("./pull.ts");
      const pulled = await pull(await connect(command), { ...flags, ...release });
      const { loaded, files, digest } = pulled;
      const text = loaded === null ? `${files.join("\n")} (${digest})` : `${loaded.image} (${loaded.id})`;
      await print(flags, pulled, () => terminalSafe(text));
    });
}

type Release = ReturnType<typeof parseRelease>;
