import { hasPassed } from "../../delivery/proof/evidence.ts";
import type { Proven } from "../../delivery/proof/judge.ts";
import { paint, type Screen, terminalSafe } from "../terminal.ts";
import { localTime } from "../times.ts";
import type { Verification } from "./verify.ts";

/** What was verified, as a person reads it. */
export function storyOf(screen: Screen, verification: Verification): string {
  const { target, digests, verified, failures, proven, ignored, bytes } = verification;
  const verdict = verified ? paint(screen, "green", "verified") : paint(screen, "red", "NOT verified");
  const lines = [
    `${terminalSafe(target)}: ${verdict}`,
    ...(proven === null ? [] : provenLines(proven)),
    line("bytes", [...(digests.length === 0 ? [] : [digests.join(", ")]), bytes].join("; ")),
    ...failures.map(({ code, because }) => line("failed", `${because} (${code})`)),
    ...ignored.map(({ from, code, because }) => line("ignored", `a statement at ${from}: ${because} (${code})`)),
  ];
  return lines.join("\n");
}

function provenLines({ provenance, commit, keyId, tests }: Proven): string[] {
  const { buildDefinition, runDetails } = provenance;
  const { repository, ref, artifact } = buildDefinition.externalParameters;
  const { builder, metadata } = runDetails;
  const version = builder.version?.deliverd;
  return [
    line("is", `${artifact} ${buildDefinition.internalParameters.version}`),
    line("commit", `${commit} of ${ref} in ${repository}`),
    line("built", `by ${builder.id}${version === undefined ? "" : ` (deliverd ${version})`}`),
    line("", `${localTime(metadata.startedOn)} to ${localTime(metadata.finishedOn)}, ${metadata.invocationId}`),
    ...testLines(tests, buildDefinition.internalParameters.ci),
    line("signed", `by the key ${keyId}`),
  ];
}

function testLines(tests: Proven["tests"], ci: string): string[] {
  if (tests === null) {
    return [
      line("checks", ci === "none" ? "no CI was asked for" : "no evidence was kept: the release is older than that"),
    ];
  }
  const { deliverd_gate: gate, deliverd_checks: checks } = tests;
  return [
    line("checks", `${gate.because}; read at ${localTime(gate.readAt)}`),
    ...checks.map(({ name, app, conclusion, at, url, mayFail }) => {
      const sign = hasPassed({ conclusion, mayFail }) ? "✓" : "–";
      const by = app === null ? "" : ` (${app})`;
      return line(
        "",
        `${sign} ${name}${by}: ${conclusion}${at === null ? "" : ` at ${localTime(at)}`} ${url ?? ""}`.trimEnd(),
      );
    }),
  ];
}

function line(name: string, text: string): string {
  return `  ${name.padEnd(8)}${terminalSafe(text).replaceAll("\n", " ")}`;
}
