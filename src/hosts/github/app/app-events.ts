import * as z from "zod";
import { BRANCHES } from "../../../delivery/refs.ts";
import { type HostRepo, NEW_COMMIT_EVENT, type Order } from "../../host.ts";
import { label, printableText, sha } from "../../payload.ts";
import type { Found, Reader } from "../events.ts";
import type { AppEvents } from "../hints.ts";
import { isOwnRun } from "../own-runs.ts";
import { repository } from "../payload.ts";
import type { Installations } from "./installations.ts";

/** The events that the App has to be subscribed to. Those of its installations come unasked. */
export const APP_EVENTS = ["push", "create", "status", "check_run", "check_suite", "workflow_run", "repository"];

/** The buttons of a check run, by their identifiers. */
const ACTIONS: ReadonlyMap<string, Order["action"]> = new Map([
  ["retry", "retry"],
  ["cancel", "cancel"],
]);

/**
 * Reads the webhooks of an App. Re-run buttons and the buttons of a check run are orders; our own check runs say nothing
 * about CI; what the App's installations are told keeps `installations` right.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export function appEvents(appId: number, installations: Installations): AppEvents {
  return {
    onEvent: (body) => learnInstallation(body, installations),
    readers: new Map<string, Reader>([
      ["check_run", (body) => readCheckRun(body, appId)],
      ["check_suite", (body) => readCheckSuite(body, appId)],
      ["repository", readRepository],
      ["installation", (body) => readInstallation(body, installations)],
      ["installation_repositories", (body) => readInstallation(body, installations)],
    ]),
  };
}

const ofInstallation = z.object({
  installation: z.object({ id: z.number().int().positive() }),
  repository: z.object({ owner: z.object({ login: label }) }),
});

function learnInstallation(body: unknown, installations: Installations): void {
  const read = ofInstallation.safeParse(body);
  if (read.success) installations.learn(read.data.repository.owner.login, read.data.installation.id);
}

/** GitHub's older servers send no slug. */
const app = z
  .object({ id: z.number().nullish(), slug: z.string().nullish() })
  .nullish()
  .transform((value) => ({ app: value?.slug ?? null, appId: value?.id ?? null }));

const sender = z.object({ login: printableText(100) });

const checkRun = z.object({
  action: label,
  check_run: z.object({ head_sha: sha, name: z.string(), app }),
  requested_action: z.object({ identifier: z.string() }).nullish(),
  repository,
  sender,
});

function readCheckRun(body: unknown, appId: number): Found {
  const { action, check_run: run, requested_action, repository: repo, sender: by } = checkRun.parse(body);
  const hint = { repo, ref: null, sha: run.head_sha, detail: action };
  if (!isOwnRun({ name: run.name, ...run.app }, appId)) return hint;
  const order = { repo, sha: run.head_sha, person: by.login, event: `check_run ${action}` };
  if (action === "rerequested") return { ...order, action: "retry" };
  if (action !== "requested_action") return { ignored: "our own report" };
  const asked = ACTIONS.get(requested_action?.identifier ?? "");
  return asked === undefined ? { ignored: "a button that deliverd does not have" } : { ...order, action: asked };
}

const checkSuite = z.object({
  action: label,
  check_suite: z.object({ head_sha: sha, app }),
  repository,
  sender,
});

function readCheckSuite(body: unknown, appId: number): Found {
  const { action, check_suite: suite, repository: repo, sender: by } = checkSuite.parse(body);
  if (suite.app.appId !== appId) return { repo, ref: null, sha: suite.head_sha, detail: action };
  switch (action) {
    case "requested":
      // GitHub sends it at each push to every App that may write checks. Its branch may be a tag, or none.
      return { repo, ref: null, sha: suite.head_sha, event: NEW_COMMIT_EVENT };
    case "rerequested":
      return { repo, sha: suite.head_sha, action: "retry", person: by.login, event: `check_suite ${action}` };
    default:
      return { ignored: "our own report" };
  }
}

const repositoryEvent = z.object({ action: label, repository });

/** After a rename or a move the repo's new name becomes known with the hint, and the old one its alias. */
function readRepository(body: unknown): Found {
  const { action, repository: repo } = repositoryEvent.parse(body);
  if (action === "deleted") return { ignored: "the repo was deleted" };
  return { repo, ref: headOf(repo), sha: null, detail: action };
}

function headOf({ defaultBranch }: HostRepo): string | null {
  return defaultBranch === null ? null : BRANCHES + defaultBranch;
}

const installationEvent = z.object({
  action: label,
  installation: z.object({ id: z.number().int().positive(), account: z.object({ login: label }).nullish() }),
});

function readInstallation(body: unknown, installations: Installations): Found {
  const { action, installation } = installationEvent.parse(body);
  const owner = installation.account?.login;
  if (owner !== undefined) {
    // What it may do has changed, or it is gone: GitHub is asked again.
    installations.forget(owner);
    if (action === "created" || action === "added" || action === "removed") installations.learn(owner, installation.id);
  }
  return { ignored: `the installation${owner === undefined ? "" : ` in ${owner}`}: ${action}` };
}
