import { loadServerConfig, secretsOf } from "../config/server.ts";
import { createMask } from "../observe/mask.ts";
import type { Finding } from "./doctor/check.ts";
import { checksOf } from "./doctor/checks.ts";
import { findingText, skippedText } from "./doctor/report.ts";
import { runChecks } from "./doctor/run-checks.ts";
import { EXIT, Failure } from "./exit.ts";
import { jsonText, screenOf } from "./terminal.ts";

export interface DoctorCommand {
  config: string | undefined;
  json: boolean;
  /** Send each notice target a test event. */
  testNotices: boolean;
}

/** Checks the configuration and everything it names. Reports for each part what was found, or what to do. */
export async function doctor({ config: path, json, testNotices }: DoctorCommand): Promise<void> {
  const config = loadServerConfig({ path, env: process.env });
  const mask = createMask(secretsOf(config));
  const screen = screenOf();
  const print = (text: string | null) => {
    if (text !== null) process.stdout.write(`${mask(text)}\n`);
  };
  const findings: Finding[] = [];
  for await (const found of runChecks(await checksOf(config, { learn: mask.learn, sendTestNotices: testNotices }))) {
    for (const finding of found) {
      if (!json) print(findingText(screen, finding, findings.at(-1)?.group ?? null));
      findings.push(finding);
    }
  }
  print(json ? jsonText(findings.map(toJson)) : skippedText(findings));
  const judged = findings.filter(({ state }) => state !== "skipped");
  const failed = judged.filter(({ state }) => state === "fail");
  if (failed.length > 0) throw new Failure(EXIT.failed, `${failed.length} of ${judged.length} checks failed`);
}

function toJson(finding: Finding): object {
  return { ...finding, ok: finding.state === "ok" || finding.state === "warn" };
}
