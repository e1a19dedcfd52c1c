import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError, Option } from "commander";
import { hashToken } from "../api/access.ts";
import { ADMIN_NAME, ROLES, type Role } from "../delivery/roles.ts";
import { examples } from "./help.ts";
import { jsonText } from "./terminal.ts";

/** `deliverd token`. */
export function addToken(program: Command): void {
  program
    .command("token")
    .description("make an access token for a server, and the line of its configuration that allows it")
    .argument("<name>", "who gets it: letters, digits and . _ -", parseName)
    .addOption(
      new Option("--role <role>", "what it allows: reading, also delivering, or everything")
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .option("--json", "print JSON")
    .addHelpText("after", examples("token ci --role operator", "token wall --role viewer --json"))
    .action((name: string, { role, json }: { role: Role; json?: boolean }) => {
      // 256 random bits: nobody guesses it, so the configuration may hold a fast hash of it.
      const token = `deliverd_${randomBytes(32).toString("base64url")}`;
      const hash = hashToken(token);
      process.stdout.write(
        json
          ? `${jsonText({ name, role, token, hash })}\n`
          : `${token}\n\nIt is shown only once. In the configuration of the server, under access.tokens:\n\n` +
              `    - { name: ${name}, role: ${role}, hash: "${hash}" }\n`,
      );
    });
}

function parseName(text: string): string {
  if (text === ADMIN_NAME) throw new InvalidArgumentError(`The admin token has the name ${ADMIN_NAME}.`);
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError("It must begin with a letter or digit, and have letters, digits and . _ - only.");
}
