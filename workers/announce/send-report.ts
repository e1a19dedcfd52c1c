import type { Repo } from "../../src/delivery/types.ts";
import type { Host, Report, ReportHistory } from "../../src/hosts/host.ts";
import type { OutboxEntry } from "../../src/ledger/outbox.ts";
import { hostOf } from "../commit/host-of.ts";
import type { Station } from "../station.ts";
import { detailsOf } from "./report-details.ts";

type ReportParts = Pick<Station, "ledger" | "hosts" | "mask">;

/**
 * Puts a status on the commit, as richly as its host can show it.
 * @throws as Host.report does
 */
export async function sendReport(station: ReportParts, repo: Repo, row: OutboxEntry): Promise<void> {
  const host = hostOf(station, repo);
  const report = row.payload as Report;
  const history: ReportHistory = {
    last: row.said as Report | null,
    // A try that failed may have arrived all the same, and so may that of a sender whose lease has ended.
    isRepeat: row.attempts > 0 || row.repeats > 0,
  };
  if (addsNothing(host, report, history)) return;
  const details = host.showsDetails ? await detailsOf(station, row.deliveryId) : null;
  await host.report({ repo, sha: row.sha }, details === null ? report : { ...report, details }, history);
}

/** A host that adds a row for each report would show the same twice. */
function addsNothing({ appendsReports = false }: Host, report: Report, { last, isRepeat }: ReportHistory): boolean {
  if (!appendsReports || isRepeat || last === null) return false;
  return last.state === report.state && last.description === report.description && last.targetUrl === report.targetUrl;
}
