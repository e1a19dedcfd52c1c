import { createHash } from "node:crypto";
import { oneLine } from "../../../delivery/commit-status.ts";
import type { Annotation } from "../../../delivery/report-summary.ts";
import type { DeliveryState } from "../../../delivery/types.ts";
import type { Order, Report } from "../../host.ts";

type Conclusion = "success" | "failure" | "neutral" | "cancelled";

/** A check run as a report wants it: https://docs.github.com/en/rest/checks/runs */
export interface WantedRun {
  name: string;
  status: "queued" | "in_progress" | "completed";
  conclusion: Conclusion | null;
  title: string;
  summary: string;
  annotations: Annotation[];
  actions: Order["action"][];
  detailsUrl: string;
  /** ms since the epoch; null: GitHub's own clock. */
  startedAt: number | null;
  finishedAt: number | null;
  /** The delivery and the artifact. */
  subject: string;
  /** The subject, and what the annotations are: with others it is another run. */
  externalId: string;
}

/** What a person reads of a stage; empty: the conclusion says it. */
const STAGES: Record<DeliveryState, string> = {
  waiting: "Waiting",
  queued: "Queued",
  building: "Building",
  publishing: "Publishing",
  delivered: "",
  failed: "Failed",
  cancelled: "Cancelled",
  superseded: "Superseded",
  ignored: "",
};

export function wantedRun({ context, state, description, targetUrl, details }: Report): WantedRun {
  const stage = details?.stage ?? null;
  const annotations = details?.annotations ?? [];
  const subject = `${details?.deliveryId ?? "deliverd"}/${context}`;
  return {
    name: context,
    ...outcomeOf(state, stage),
    title: titleOf(state, stage, description),
    summary: details?.summary ?? oneLine(description),
    annotations,
    actions: details?.actions ?? [],
    detailsUrl: targetUrl,
    startedAt: details?.startedAt ?? null,
    finishedAt: details?.finishedAt ?? null,
    subject,
    externalId: annotations.length === 0 ? subject : `${subject}#${digestOf(annotations)}`,
  };
}

function outcomeOf(state: Report["state"], stage: DeliveryState | null): Pick<WantedRun, "status" | "conclusion"> {
  switch (state) {
    case "pending":
      return { status: stage === "building" || stage === "publishing" ? "in_progress" : "queued", conclusion: null };
    case "success":
      return { status: "completed", conclusion: "success" };
    case "failure":
      return { status: "completed", conclusion: "failure" };
    case "error":
      return { status: "completed", conclusion: conclusionOfError(stage) };
  }
}

/** A commit that is not delivered on purpose must not look broken. */
function conclusionOfError(stage: DeliveryState | null): Conclusion {
  if (stage === "cancelled") return "cancelled";
  return stage === "superseded" || stage === "ignored" ? "neutral" : "failure";
}

function titleOf(state: Report["state"], stage: DeliveryState | null, description: string): string {
  const said = oneLine(description);
  const upper = `${said.slice(0, 1).toUpperCase()}${said.slice(1)}`;
  const isNamed = stage !== null && (state === "pending" || state === "error");
  const first = isNamed ? STAGES[stage] : "";
  const isSaid = said.toLowerCase().startsWith(first.toLowerCase());
  // GitHub wants a title beside a summary.
  return oneLine(isSaid ? upper : `${first}: ${said}`) || state;
}

function digestOf(annotations: readonly Annotation[]): string {
  return createHash("sha256").update(JSON.stringify(annotations)).digest("hex").slice(0, 12);
}

/** GitHub takes at most 50 in a request, and appends them to those that are there. */
export const MAX_ANNOTATIONS = 50;
/** GitHub shows at most three. */
const MAX_ACTIONS = 3;
/** GitHub takes 64 kB. */
const MAX_MESSAGE_LENGTH = 4_000;

const ACTIONS: Record<Order["action"], { label: string; description: string; identifier: string }> = {
  retry: { label: "Retry", description: "Deliver this commit again", identifier: "retry" },
  cancel: { label: "Cancel", description: "Stop delivering this commit", identifier: "cancel" },
};

/** The members of a request that creates or updates the run. */
export function bodyOf(run: WantedRun, annotations: readonly Annotation[]) {
  const { name, status, conclusion, externalId, detailsUrl, startedAt, finishedAt, actions } = run;
  return {
    name,
    status,
    details_url: detailsUrl,
    external_id: externalId,
    ...(status !== "queued" && startedAt !== null ? { started_at: isoTime(startedAt) } : {}),
    ...(conclusion === null ? {} : { conclusion }),
    ...(conclusion !== null && finishedAt !== null ? { completed_at: isoTime(finishedAt) } : {}),
    output: outputOf(run, annotations),
    actions: actions.slice(0, MAX_ACTIONS).map((action) => ACTIONS[action]),
  };
}

export function outputOf({ title, summary }: WantedRun, annotations: readonly Annotation[]) {
  const listed = annotations.map(({ path, line, message }) => ({
    ...{ path, start_line: line, end_line: line },
    annotation_level: "failure",
    message: message.slice(0, MAX_MESSAGE_LENGTH),
  }));
  return { title, summary, ...(listed.length === 0 ? {} : { annotations: listed }) };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
