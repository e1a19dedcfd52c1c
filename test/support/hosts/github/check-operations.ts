import { resolveCommit } from "../git.ts";
import * as bodies from "./bodies.ts";
import { addSuite } from "./checks.ts";
import { isObject, type Json } from "./json.ts";
import { type Answer, type Call, failure, type Operation } from "./operations.ts";
import type { CheckRun, CommitChecks, Repo, RunConclusion, RunStatus, Shown } from "./state.ts";

// Check runs of an App: https://docs.github.com/en/rest/checks/runs

export const checkOperations: Operation[] = [
  { method: "POST", template: "/repos/{owner}/{repo}/check-runs", handle: create },
  { method: "PATCH", template: "/repos/{owner}/{repo}/check-runs/{check_run_id}", handle: update },
];

async function create(call: Call): Promise<Answer> {
  const { repo, appToken, state, now, body } = call;
  const app = state.apps.app;
  if (repo === null || appToken === null || app === null)
    return failure(403, "You must authenticate via a GitHub App.");
  const sha = String(body.head_sha);
  if ((await resolveCommit(repo.directory, sha)) === null) return failure(422, `No commit found for SHA: ${sha}`);
  const checks = state.checksOf(repo, sha);
  const making = { nextId: () => state.nextId(), now, branch: repo.defaultBranch };
  const suite = checks.suites.find((one) => one.app.id === app.id) ?? addSuite(checks, { app }, making);
  const run: CheckRun = {
    id: state.nextId(),
    name: String(body.name),
    status: "queued",
    conclusion: null,
    app: { id: app.id, slug: app.slug },
    suiteId: suite.id,
    startedAt: now,
    completedAt: null,
    shown: { externalId: "", detailsUrl: null, title: null, summary: null, annotations: [], actions: [], updates: [] },
  };
  const refused = change(call, run, run.shown ?? null);
  if (refused !== null) return refused;
  checks.runs.push(run);
  call.onCheckRun(repo, sha, run, "created");
  if (run.status === "completed") call.onCheckRun(repo, sha, run, "completed");
  return { status: 201, body: bodies.checkRun(repo, sha, run) };
}

function update(call: Call): Answer {
  const { repo, appToken, state } = call;
  if (repo === null || appToken === null) return failure(403, "You must authenticate via a GitHub App.");
  const [found] = [...repo.commits].flatMap(([sha, checks]: [string, CommitChecks]) =>
    checks.runs.filter((run) => String(run.id) === call.params.check_run_id).map((run) => ({ sha, run })),
  );
  if (found === undefined) return failure(404, "Not Found");
  const { sha, run } = found;
  if (run.app.id !== state.apps.app?.id)
    return failure(403, "Invalid app_id `…` - check run can only be modified by the GitHub App that created it.");
  const before = run.status;
  const refused = change(call, run, run.shown ?? null);
  if (refused !== null) return refused;
  if (run.status === "completed" && before !== "completed") call.onCheckRun(repo as Repo, sha, run, "completed");
  return { status: 200, body: bodies.checkRun(repo as Repo, sha, run) };
}

/** What GitHub's description says in words only. */
function change({ body, now }: Call, run: CheckRun, shown: Shown | null): Answer | null {
  const text = (key: string) => (typeof body[key] === "string" ? body[key] : null);
  const conclusion = text("conclusion");
  const status = conclusion !== null ? "completed" : (text("status") ?? run.status);
  if (status === "completed" && conclusion === null && run.conclusion === null) {
    return invalid("conclusion", "conclusion is required where the status is completed");
  }
  const output = isObject(body.output) ? body.output : null;
  const annotations = Array.isArray(output?.annotations) ? output.annotations.filter(isObject) : [];
  for (const { path, start_line, end_line } of annotations) {
    if (String(path).startsWith("/") || Number(start_line) < 1 || Number(end_line) < Number(start_line)) {
      return invalid("annotations", "an annotation has no such place");
    }
  }
  run.status = status as RunStatus;
  run.conclusion = status === "completed" ? ((conclusion ?? run.conclusion) as RunConclusion) : null;
  run.startedAt = text("started_at") ?? run.startedAt;
  run.completedAt = status === "completed" ? (text("completed_at") ?? run.completedAt ?? now) : null;
  if (shown === null) return null;
  shown.updates.push([run.status, run.conclusion, output?.title ?? null].filter((each) => each !== null).join(" | "));
  shown.externalId = text("external_id") ?? shown.externalId;
  shown.detailsUrl = text("details_url") ?? shown.detailsUrl;
  if (output !== null) {
    shown.title = typeof output.title === "string" ? output.title : shown.title;
    shown.summary = typeof output.summary === "string" ? output.summary : shown.summary;
    shown.annotations.push(...annotations);
  }
  if (Array.isArray(body.actions)) shown.actions = body.actions.filter(isObject);
  return null;
}

function invalid(field: string, message: string): Answer {
  const errors: Json = [{ resource: "CheckRun", code: "invalid", field, message }];
  return failure(422, "Validation Failed", { errors });
}
