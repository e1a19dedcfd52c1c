import { isOwnContext } from "../../delivery/commit-status.ts";
import type { Run } from "./check-runs.ts";
import { ACTIONS, type Suite } from "./check-suites.ts";

/**
 * Whether deliverd, as this App or as another one, has made a check run: its reports say nothing about CI. A job of
 * Actions may have any name.
 */
export function isOwnRun(
  { name, app, appId }: { name: string; app: string | null; appId: number | null },
  ownApp: number | null,
): boolean {
  return (ownApp !== null && appId === ownApp) || (isOwnContext(name) && app !== null && app !== ACTIONS);
}

/** Without our own check runs, and the suites that hold nothing else. */
export function withoutOwn<Results extends { runs: Run[]; suites: Suite[] }>(
  results: Results,
  ownApp: number | null,
): Results {
  const runs = results.runs.filter((run) => !isOwnRun(run, ownApp));
  const kept = new Set(runs.map(({ suite }) => suite));
  const dropped = new Set(results.runs.map(({ suite }) => suite).filter((suite) => !kept.has(suite)));
  const suites = results.suites.filter(({ id, appId }) => !dropped.has(id) && (ownApp === null || appId !== ownApp));
  return { ...results, runs, suites };
}
