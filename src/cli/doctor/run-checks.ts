import { Semaphore } from "../../async/semaphore.ts";
import { withTimeout } from "../../async/with-timeout.ts";
import { ConfigError, Refused, TransientError, UserError } from "../../delivery/errors.ts";
import type { Check, Finding, Result } from "./check.ts";
import { createReach } from "./reach.ts";

const CHECK_TIMEOUT_MS = 60_000;
const CHECKS_AT_A_TIME = 8;

type Outcome = { kind: "judged"; results: Result[] } | { kind: "skipped"; because: string };

/**
 * Runs the checks side by side, and yields what each found, in their order. One cause is one failure: a check whose
 * `needs` failed, or that fails for the same cause as an earlier one, is skipped.
 */
export async function* runChecks(checks: readonly Check[]): AsyncGenerator<Finding[]> {
  const reach = createReach();
  const places = new Semaphore(CHECKS_AT_A_TIME);
  const outcomes = new Map<string, Promise<Outcome>>();
  for (const check of checks) outcomes.set(check.part, outcomeOf(check, outcomes, reach, places));
  const reporter = new Reporter();
  for (const check of checks) {
    const outcome = await outcomes.get(check.part);
    if (outcome !== undefined) yield reporter.findingsOf(check, outcome);
  }
}

async function outcomeOf(
  check: Check,
  outcomes: ReadonlyMap<string, Promise<Outcome>>,
  reach: ReturnType<typeof createReach>,
  places: Semaphore,
): Promise<Outcome> {
  for (const need of check.needs ?? []) {
    const outcome = await outcomes.get(need);
    if (outcome !== undefined && hasFailed(outcome)) return { kind: "skipped", because: need };
  }
  await places.acquire();
  try {
    const unreachable = check.server ? await reach(check.server) : null;
    if (unreachable === null) return { kind: "judged", results: await resultsOf(check) };
    const { key, text } = unreachable;
    return {
      kind: "judged",
      results: [{ state: "fail", text, remedy: check.remedy, cause: commonCauseOf(text) ?? key }],
    };
  } finally {
    places.release();
  }
}

function hasFailed(outcome: Outcome): boolean {
  return outcome.kind === "skipped" || outcome.results.some(({ state }) => state === "fail");
}

async function resultsOf({ run, remedy }: Check): Promise<Result[]> {
  try {
    const found = await withTimeout(CHECK_TIMEOUT_MS, run());
    if (typeof found === "string") return [{ state: "ok", text: found, remedy: null }];
    return Array.isArray(found) ? found : [found];
  } catch (error) {
    const text = (error instanceof Error && error.message) || String(error);
    return [{ state: "fail", text, remedy: saysWhatToDo(error) ? null : remedy }];
  }
}

/** Those of other kinds say what happened only: most of them end by themselves. */
function saysWhatToDo(error: unknown): boolean {
  if (error instanceof TransientError) return error.code.endsWith("-token-refused");
  return error instanceof ConfigError || error instanceof Refused || error instanceof UserError;
}

/** EAI_AGAIN says that no name server answers: then no name can be looked up, whoever needs one. */
function commonCauseOf(text: string): string | undefined {
  return text.includes("EAI_AGAIN") ? "name server" : undefined;
}

/** Knows what failed before. */
class Reporter {
  /** The part that failed first, by cause. */
  readonly #causes = new Map<string, string>();
  /** The part for which a part was skipped, by that part. */
  readonly #roots = new Map<string, string>();

  findingsOf(check: Check, outcome: Outcome): Finding[] {
    switch (outcome.kind) {
      case "skipped":
        return [this.#skipped(check, this.#roots.get(outcome.because) ?? outcome.because)];
      case "judged":
        return outcome.results.map((result) => this.#findingOf(check, result));
    }
  }

  #findingOf(check: Check, result: Result): Finding {
    const { state, text, remedy } = result;
    const cause = state === "fail" ? (result.cause ?? commonCauseOf(text)) : undefined;
    const first = cause === undefined ? undefined : this.#causes.get(cause);
    if (first !== undefined && first !== check.part) return this.#skipped(check, first);
    if (cause !== undefined) this.#causes.set(cause, check.part);
    return { group: check.group, part: check.part, state, text, remedy, because: null };
  }

  #skipped({ group, part }: Check, because: string): Finding {
    this.#roots.set(part, because);
    const text = `not checked, because ${because} failed`;
    return { group, part, state: "skipped", text, remedy: null, because };
  }
}
