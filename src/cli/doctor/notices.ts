import { randomUUID } from "node:crypto";
import type { ServerConfig } from "../../config/server.ts";
import { openNotifiers } from "../../notices/index.ts";
import type { Notifier } from "../../notices/notice.ts";
import { type Check, ok, type Result, warn } from "./check.ts";

const NOTICE_TIMEOUT_MS = 20_000;

/** @param sendTest also send a test event, which receivers tell from a notice by its type */
export function noticeChecks({ notices, publicUrl }: ServerConfig, sendTest: boolean): Check[] {
  const notifiers = openNotifiers(notices);
  return notifiers.map((notifier, index) => ({
    group: "Notices",
    part: partOf(notifier, index, notifiers),
    server: URL.canParse(notifier.target) ? new URL(notifier.target) : null,
    run: () => (sendTest ? sendTestEvent(notifier, publicUrl) : probe(notifier)),
    remedy: "Check the url under notices, and that its receiver runs and can be reached from here.",
  }));
}

/** Two receivers may differ in their query only, which is not shown. */
function partOf({ target }: Notifier, index: number, all: Notifier[]): string {
  const isTwin = all.some((other, at) => at !== index && other.target === target);
  return `notice ${target}${isTwin ? ` (entry ${index + 1})` : ""}`;
}

async function probe(notifier: Notifier): Promise<Result> {
  const { text, doubt } = await notifier.probe(timeout());
  if (doubt === null) return ok(text);
  return warn(`${text}: ${doubt}`, "`deliverd doctor --test-notices` sends a signed test event, which shows it.");
}

async function sendTestEvent(notifier: Notifier, publicUrl: string): Promise<string> {
  const id = `test-${randomUUID()}`;
  const event = {
    specversion: "1.0",
    id,
    source: publicUrl,
    type: "dev.deliverd.test",
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    data: { message: "deliverd doctor sends this to try the connection. There is nothing to deploy." },
  };
  await notifier.send({ id, event }, timeout());
  return "took the test event (dev.deliverd.test)";
}

function timeout(): AbortSignal {
  return AbortSignal.timeout(NOTICE_TIMEOUT_MS);
}
