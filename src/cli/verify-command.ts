import { type Command, InvalidArgumentError } from "commander";
import { duration } from "../settings/scalars.ts";
import { connect } from "./client-command.ts";
import { EXIT } from "./exit.ts";
import { examples } from "./help.ts";
import { jsonText, screenOf } from "./terminal.ts";

interface Flags {
  key: string[];
  bundle: string[];
  server?: string;
  repo?: string;
  branch?: string;
  commit?: string;
  builder?: string;
  requireCheck: string[];
  requireApp?: string;
  maxAge?: number;
  json?: boolean;
}

/** `deliverd verify`. */
export function addVerify(program: Command): void {
  const each = (value: string, before: string[]) => [...before, value];
  program
    .command("verify")
    .description("check what built an image or a file, and which checks were green")
    .argument("<what>", "an image (registry/name:tag or @digest), a file, or a folder with an OCI layout")
    .option("--key <file>", "a trusted public key (PEM), or a saved keys.json; may be repeated", each, [])
    .option("--bundle <file>", "signed statements: a Sigstore bundle, or *.intoto.jsonl; may be repeated", each, [])
    .option("--server <url>", "the deliverd server to ask for statements and keys")
    .option("--repo <repo>", "demand that it was built from this repo")
    .option("--branch <branch>", "demand that it was built for this branch: a name or glob")
    .option("--commit <sha>", "demand that it was built from this commit")
    .option("--builder <id>", "demand that this builder built it")
    .option("--require-check <name>", "demand that this check has passed; may be repeated", each, [])
    .option("--require-app <slug>", "demand that those checks are of this app")
    .option("--max-age <duration>", "demand that it was released within this time, such as 30d", parseAge)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        "verify registry.example.com/acme/api:1.2.3 --key deliverd.pub",
        "verify ./client-1.2.3.tgz --key deliverd.pub --repo acme/client --require-check test",
        "verify ./layout --server https://deliverd.example.com",
      ),
    )
    .action(async (target: string, flags: Flags, command: Command) => {
      const { verify } = await import("./verify/index.ts");
      const isAsked = flags.server !== undefined || Boolean(process.env.DELIVERD_SERVER);
      const verification = await verify({
        target,
        ...{ keys: flags.key, bundles: flags.bundle },
        server: isAsked ? await connect(command) : null,
        policy: {
          ...{ repo: flags.repo ?? null, branch: flags.branch ?? null, commit: flags.commit?.toLowerCase() ?? null },
          ...{ builder: flags.builder ?? null, checks: flags.requireCheck, app: flags.requireApp ?? null },
          maxAge: flags.maxAge ?? null,
        },
      });
      const { storyOf } = await import("./verify/story.ts");
      process.stdout.write(`${flags.json ? jsonText(verification) : storyOf(screenOf(), verification)}\n`);
      if (!verification.verified) process.exitCode = EXIT.failed;
    });
}

function parseAge(text: string): number {
  const read = duration.safeParse(text);
  if (read.success) return read.data;
  throw new InvalidArgumentError("It must be a duration, such as 12h or 30d.");
}
