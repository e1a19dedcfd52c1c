import { withTimeout } from "../async/with-timeout.ts";
import { loadServerConfig, secretsOf } from "../config/server.ts";
import { ConfigError } from "../delivery/errors.ts";
import { createMask } from "../observe/mask.ts";
import { type Check, checksOf } from "./doctor-checks.ts";
import { EXIT, Failure } from "./exit.ts";
import { terminalSafe } from "./terminal.ts";

interface Finding {
  part: string;
  ok: boolean;
  text: string;
}

const CHECK_TIMEOUT_MS = 60_000;

/** Checks the configuration and everything it names. Reports for each part what was found, or what to do. */
export async function doctor(configPath: string | undefined, asJson: boolean): Promise<void> {
  const config = loadServerConfig({ path: configPath, env: process.env });
  const mask = createMask(secretsOf(config));
  const findings: Finding[] = [];
  for (const check of await checksOf(config, mask)) {
    const finding = await findingOf(check);
    const { part, ok, text } = { ...finding, text: mask(finding.text) };
    findings.push({ part, ok, text });
    if (!asJson) process.stdout.write(`${ok ? "ok  " : "FAIL"}  ${part}: ${terminalSafe(text)}\n`);
  }
  if (asJson) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  const failed = findings.filter((finding) => !finding.ok);
  if (failed.length > 0) throw new Failure(EXIT.failed, `${failed.length} of ${findings.length} checks failed`);
}

async function findingOf({ part, run, remedy }: Check): Promise<Finding> {
  try {
    return { part, ok: true, text: await withTimeout(CHECK_TIMEOUT_MS, run()) };
  } catch (error) {
    const text = (error instanceof Error && error.message) || String(error);
    // The message of a ConfigError already names the key and says what to do.
    return { part, ok: false, text: error instanceof ConfigError ? text : `${text.replace(/\.$/, "")}. ${remedy}` };
  }
}
