import { isOwnContext } from "./commit-status.ts";
import { nameMatches } from "./glob.ts";
import { compileHostGlob } from "./host-glob.ts";
import type { Check, CiState, Gate, Verdict } from "./types.ts";

/** One requirement that a host sets for the commits of a branch. */
export type HostRequired =
  /** A check with exactly this name, or that this glob of the host matches, from the app with this id. Null: from anybody. */
  | { kind: "check"; name: string; appId: number | null; isGlob?: boolean }
  /**
   * A result without a check's name, such as that of a workflow file: every check must pass, or every check of `app`.
   */
  | { kind: "unnamed"; what: string; app: string | null }
  /** A type of rule that deliverd does not know. */
  | { kind: "unknown"; rule: string };

export interface JudgeOptions {
  /** What the host requires on any branch that contains the commit. Null: it does not say. */
  hostRequired: HostRequired[] | null;
  /** ms since the epoch, by the clock that stamped the checks, if it is known. */
  now: number;
}

/**
 * The verdict on the checks of one commit. Of several reports with one name the newest counts. If two have the same
 * time, the one listed first counts, since hosts list the newest first.
 */
export function judge(
  checks: Check[],
  gate: Gate,
  options: JudgeOptions,
): CiState & { because: string; retryAt: number | null; restsOn: Check[] } {
  const foreign = checks.filter((check) => !isOwnContext(check.name) && isTrusted(check, gate.apps));
  const counted = newestOfEach(foreign).flatMap(weigh);
  const answer = (verdict: Verdict, because: string, retryAt: number | null = null, restsOn: Check[] = []) => ({
    verdict,
    checks: counted,
    restsOn: verdict === "green" ? restsOn : [],
    because:
      verdict === "red" || verdict === "green" || gate.apps === null
        ? because
        : `${because} (by ${gate.apps.join(", ")})`,
    retryAt,
  });
  if (gate.ci === "none") return answer("green", "no CI asked for");
  if (gate.required.length > 0) return answer(...judgeRequired(counted, gate.required.map(byGlob)));
  const all = (checks: Check[]) => judgeAll(checks, gate, options.now);
  return answer(...judgeHost(counted, options.hostRequired ?? [], all));
}

/** Whether the gate's time for the CI of a commit is over. @param firstSeenAt when the commit was first seen, in ms */
export function hasTimedOut(firstSeenAt: number, gate: Gate, now: number): boolean {
  return now - firstSeenAt >= gate.timeout;
}

/** A status has no app: anybody who may write statuses can write one under any name. */
function isTrusted({ app }: Check, apps: string[] | null): boolean {
  return apps === null || (app !== null && apps.includes(app));
}

function newestOfEach(checks: Check[]): Check[] {
  const newest = new Map<string, Check>();
  for (const check of checks) {
    const key = JSON.stringify([check.source, check.app, check.group, check.name]);
    const known = newest.get(key);
    if (known === undefined || isNewer(check, known)) newest.set(key, check);
  }
  return [...newest.values()];
}

function isNewer(check: Check, known: Check): boolean {
  if (check.order === undefined || known.order === undefined) return check.at > known.at;
  return check.order > known.order;
}

/** What a check counts for. A job that waits for a person holds the commit up, unless nobody has to start it. */
function weigh(check: Check): Check[] {
  if (check.isManual) return check.mayFail ? [] : [{ ...check, state: "pending" }];
  return [check.mayFail && check.state === "failed" ? { ...check, state: "passed" } : check];
}

/** `restsOn`: the checks because of which the verdict is green. */
type Judgement = [verdict: Verdict, because: string, retryAt?: number | undefined, restsOn?: Check[] | undefined];

interface Required {
  name: string;
  isMetBy(check: Check): boolean;
}

function byGlob(glob: string): Required {
  return { name: glob, isMetBy: (check) => namesOf(check).some((name) => nameMatches(glob, name)) };
}

/** Null: its glob is not usable. */
function byHost({ name, appId, isGlob = false }: Extract<HostRequired, { kind: "check" }>): Required | null {
  const fits = isGlob ? compileHostGlob(name) : (given: string) => given === name;
  if (fits === null) return null;
  return { name, isMetBy: (check) => namesOf(check).some(fits) && (appId === null || check.appId === appId) };
}

function namesOf({ name, aliases = [] }: Check): string[] {
  return [name, ...aliases];
}

function judgeRequired(checks: Check[], required: Required[]): Judgement {
  // A suite has its app's name and holds checks: nobody requires a suite by name.
  const named = checks.filter((check) => check.source !== "check-suite");
  const found = required.map(({ name, isMetBy }) => ({ wanted: name, checks: named.filter(isMetBy) }));
  const matched = [...new Set(found.flatMap((entry) => entry.checks))];
  const unfinished = unlessAllPassed(matched);
  const missing = found.filter((entry) => entry.checks.length === 0).map((entry) => entry.wanted);
  if (unfinished?.[0] === "red") return unfinished;
  if (missing.length > 0) {
    // A workflow that could not start never reports its checks. Without this, nobody would see the reason.
    const stuck = checks.filter((check) => check.source === "check-suite" && check.state === "failed");
    const why = stuck.length === 0 ? "" : `, while ${list("check", names(stuck))} failed`;
    return ["pending", `waiting for ${list("check", missing)}${why}`];
  }
  return unfinished ?? ["green", `required ${list("check", names(matched))} passed`, undefined, matched];
}

/** Every requirement must be green. Without requirements, every reported check must be green. */
function judgeHost(checks: Check[], host: HostRequired[], judgeAll: (checks: Check[]) => Judgement): Judgement {
  const named: Required[] = [];
  const parts: Judgement[] = [];
  for (const each of host) {
    switch (each.kind) {
      case "check": {
        const required = byHost(each);
        if (required === null) parts.push(unusable(`status check ${each.name}`));
        else named.push(required);
        break;
      }
      case "unnamed":
        parts.push(judgeUnnamed(checks, each, judgeAll));
        break;
      case "unknown":
        parts.push(unusable(each.rule));
        break;
    }
  }
  if (named.length > 0) parts.push(judgeRequired(checks, named));
  const [worst] = parts.sort(([one], [other]) => SEVERITY[other] - SEVERITY[one]);
  if (worst === undefined) return judgeAll(checks);
  const [verdict, because, retryAt] = worst;
  return [verdict, because, retryAt, [...new Set(parts.flatMap(([, , , restsOn = []]) => restsOn))]];
}

function unusable(rule: string): Judgement {
  return ["pending", `the host's rule '${rule}' is unknown to deliverd: name the checks in ci.required`];
}

const SEVERITY: Record<Verdict, number> = { red: 3, pending: 2, none: 1, green: 0 };

function judgeUnnamed(
  checks: Check[],
  { what, app }: { what: string; app: string | null },
  judgeAll: (checks: Check[]) => Judgement,
): Judgement {
  const counting = app === null ? checks : checks.filter((check) => check.app === app);
  const whose = app === null ? "every check counts" : `every check of ${app} counts`;
  const [verdict, because, retryAt, restsOn]: Judgement = counting.some(
    (check) => check.source !== "check-suite" || check.state === "failed",
  )
    ? judgeAll(counting)
    : ["pending", `waiting for ${app === null ? "a check" : `a run of ${app}`}`];
  return [verdict, `${because} (${what} is required: ${whose})`, retryAt, restsOn];
}

function judgeAll(checks: Check[], gate: Gate, now: number): Judgement {
  if (checks.length === 0) return ["none", "no check has been reported yet"];
  const unfinished = unlessAllPassed(checks);
  if (unfinished !== null) return unfinished;
  const settledAt = Math.max(...checks.map((check) => check.at)) + gate.settle;
  if (settledAt > now) return ["pending", `waiting ${seconds(settledAt - now)} for further checks`, settledAt];
  return ["green", `${list("check", names(checks))} passed`, undefined, checks];
}

function unlessAllPassed(checks: Check[]): Judgement | null {
  const failed = checks.filter((check) => check.state === "failed");
  const pending = checks.filter((check) => check.state === "pending" || check.state === "unknown");
  if (failed.length > 0) return ["red", `${list("check", names(failed))} failed`];
  if (pending.length > 0) return ["pending", `waiting for ${list("check", names(pending))}`];
  return null;
}

function names(checks: Check[]): string[] {
  return checks.map(({ name, source, state, detail, isManual }) => {
    if (isManual) return `${name} (a person has to start it)`;
    const said = state === "unknown" ? `'${detail}', a word that deliverd does not know` : detail;
    if (source === "check-suite") return `suite of ${name} (${said})`;
    return state === "unknown" ? `${name} (${said})` : name;
  });
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
