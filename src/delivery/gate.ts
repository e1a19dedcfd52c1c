import { nameMatches } from "./glob.ts";
import type { Check, CiState, Gate, Verdict } from "./types.ts";

/** A check that a host requires, by its exact name; `appId`: of that app alone, null: of whomever. */
export interface HostRequired {
  name: string;
  appId: number | null;
}

export interface JudgeOptions {
  /** What the host requires on any branch that holds the commit. Null: it does not tell. */
  hostRequired: HostRequired[] | null;
  /** ms since the epoch, on the clock that stamped the checks where that is known. */
  now: number;
}

/**
 * What the checks of one commit come to. `checks` may hold several reports of one name: the newest counts, and of two
 * of the same moment the one listed first, as hosts list the newest first.
 */
export function judge(
  checks: Check[],
  gate: Gate,
  options: JudgeOptions,
): CiState & { because: string; retryAt: number | null } {
  const counted = newestOfEach(checks.filter((check) => !isOwn(check.name) && isTrusted(check, gate.apps)));
  const answer = (verdict: Verdict, because: string, retryAt: number | null = null) => ({
    verdict,
    checks: counted,
    because:
      verdict === "red" || verdict === "green" || gate.apps === null
        ? because
        : `${because} (by ${gate.apps.join(", ")})`,
    retryAt,
  });
  if (gate.ci === "none") return answer("green", "no CI asked for");
  const required = gate.required.length > 0 ? gate.required.map(byGlob) : (options.hostRequired ?? []).map(byHost);
  if (required.length > 0) return answer(...judgeRequired(counted, required));
  return answer(...judgeAll(counted, gate, options.now));
}

/** True when the CI of a commit, first seen at `firstSeenAt` (ms), has had all the time the gate gives it. */
export function timedOut(firstSeenAt: number, gate: Gate, now: number): boolean {
  return now - firstSeenAt >= gate.timeout;
}

/** deliverd's own reports must not keep it waiting for itself. Hosts compare contexts without case. */
function isOwn(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === "deliverd" || lower.startsWith("deliverd/");
}

/** Anybody who may write a status can write any, in any name: it says nothing of who it comes from. */
function isTrusted({ app }: Check, apps: string[] | null): boolean {
  return apps === null || (app !== null && apps.includes(app));
}

function newestOfEach(checks: Check[]): Check[] {
  const newest = new Map<string, Check>();
  for (const check of checks) {
    const key = JSON.stringify([check.source, check.app, check.name]);
    const known = newest.get(key);
    if (known === undefined || check.at > known.at) newest.set(key, check);
  }
  return [...newest.values()];
}

type Judgement = [verdict: Verdict, because: string, retryAt?: number];

interface Required {
  name: string;
  isMetBy(check: Check): boolean;
}

function byGlob(glob: string): Required {
  return { name: glob, isMetBy: ({ name }) => nameMatches(glob, name) };
}

function byHost({ name, appId }: HostRequired): Required {
  const isBy = (check: Check) => appId === null || check.appId === undefined || check.appId === appId;
  return { name, isMetBy: (check) => check.name === name && isBy(check) };
}

function judgeRequired(checks: Check[], required: Required[]): Judgement {
  // A suite is a container of checks under its app's name: no one requires it by name.
  const named = checks.filter((check) => check.source !== "check-suite");
  const found = required.map(({ name, isMetBy }) => ({ wanted: name, checks: named.filter(isMetBy) }));
  const matched = [...new Set(found.flatMap((entry) => entry.checks))];
  const unfinished = unlessAllPassed(matched);
  const missing = found.filter((entry) => entry.checks.length === 0).map((entry) => entry.wanted);
  if (unfinished?.[0] === "red") return unfinished;
  if (missing.length > 0) return ["pending", `waiting for ${list("check", missing)}`];
  return unfinished ?? ["green", `required ${list("check", names(matched))} passed`];
}

function judgeAll(checks: Check[], gate: Gate, now: number): Judgement {
  if (checks.length === 0) return ["none", "no check has been reported yet"];
  const unfinished = unlessAllPassed(checks);
  if (unfinished !== null) return unfinished;
  const settledAt = Math.max(...checks.map((check) => check.at)) + gate.settle;
  if (settledAt > now) return ["pending", `waiting ${seconds(settledAt - now)} for further checks`, settledAt];
  return ["green", `${list("check", names(checks))} passed`];
}

function unlessAllPassed(checks: Check[]): Judgement | null {
  const failed = checks.filter((check) => check.state === "failed");
  const pending = checks.filter((check) => check.state === "pending");
  if (failed.length > 0) return ["red", `${list("check", names(failed))} failed`];
  if (pending.length > 0) return ["pending", `waiting for ${list("check", names(pending))}`];
  return null;
}

function names(checks: Check[]): string[] {
  return checks.map((check) => check.name);
}

/** `check test`, `checks lint and test`, `checks a, b, c and 4 more`. */
function list(noun: string, words: string[]): string {
  const unique = [...new Set(words)].sort();
  const shown = unique.length > 4 ? [...unique.slice(0, 3), `${unique.length - 3} more`] : unique;
  const last = shown.pop() ?? "";
  return shown.length === 0 ? `${noun} ${last}` : `${noun}s ${shown.join(", ")} and ${last}`;
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)}s`;
}
