import { FAULTS } from "../machine/network.ts";
import type { Report } from "./messages.ts";
import type { Scenario } from "./scenario.ts";

/** Simpler scenarios than this one, the boldest cuts first. */
function* simpler(scenario: Scenario): Generator<Scenario> {
  const { actions, rates, webhooks, workers, receivers, repos } = scenario;
  const half = Math.ceil(actions.length / 2);
  if (actions.length > 3) {
    yield { ...scenario, actions: actions.slice(0, half) };
    yield { ...scenario, actions: actions.slice(half) };
  }
  for (const fault of FAULTS) if (rates[fault] > 0) yield { ...scenario, rates: { ...rates, [fault]: 0 } };
  for (const rate of ["lost", "doubled", "late"] as const)
    if (webhooks[rate] > 0) yield { ...scenario, webhooks: { ...webhooks, [rate]: 0 } };
  if (workers > 1) yield { ...scenario, workers: workers - 1 };
  if (receivers > 1) yield { ...scenario, receivers: 1 };
  for (const index of actions.keys()) yield { ...scenario, actions: actions.toSpliced(index, 1) };
  for (const [index, repo] of repos.entries()) {
    const change = (artifacts: typeof repo.artifacts) => ({
      ...scenario,
      repos: repos.with(index, { ...repo, artifacts }),
    });
    if (repo.artifacts.length > 1) yield change(repo.artifacts.slice(0, 1));
    if (repo.artifacts.some(({ to }) => to.length > 1))
      yield change(repo.artifacts.map((each) => ({ ...each, to: each.to.slice(0, 1) })));
  }
}

/** Runs of a shrinking at most. */
const MOST_RUNS = 400;

/**
 * The smallest scenario that it finds with the same problem: fewer actions, faults, workers and artifacts.
 * @param run runs one scenario
 */
export async function shrink(failing: Report, run: (scenario: Scenario) => Promise<Report>): Promise<Report> {
  const kind = kindOf(failing);
  let smallest = failing;
  let runs = 0;
  for (let isSmaller = true; isSmaller && runs < MOST_RUNS; ) {
    isSmaller = false;
    for (const scenario of simpler(smallest.scenario)) {
      runs += 1;
      const report = await run(scenario);
      if (report.problems.length > 0 && kindOf(report) === kind) {
        smallest = report;
        isSmaller = true;
        break;
      }
      if (runs >= MOST_RUNS) break;
    }
  }
  return smallest;
}

/** The first problem without what names a commit, a digest or a time. */
function kindOf({ problems }: Report): string {
  return (problems[0] ?? "").replace(/sha256:[0-9a-f]+|[0-9a-f]{7,}|\d+|\b(?:api|web|east|west|main|release)\b/g, "#");
}
