import { randomUUID } from "node:crypto";
import type { ServerConfig } from "../../config/server.ts";
import { openNotifiers } from "../../notices/index.ts";
import type { Notifier } from "../../notices/notice.ts";
import { type Check, ok, type Result, warn } from "./check.ts";
import { serverOf } from "./server-of.ts";

const NOTICE_TIMEOUT_MS = 20_000;

/** @param sendTest also send a test event, which receivers tell from a notice by its type */
export function noticeChecks({ notices, publicUrl }: ServerConfig, sendTest: boolean): Check[] {
  return openNotifiers(notices).map((notifier, index) => ({
    group: "Notices",
    part: `notices[${index}] (${notifier.target})`,
    server: serverOf(notices[index]),
    run: () => (sendTest ? sendTestEvent(notifier, publicUrl) : probe(notifier)),
    remedy: `Check notices[${index}].url, and that its receiver runs and can be reached from here.`,
  }));
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
