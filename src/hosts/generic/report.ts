import { Refused, TransientError } from "../../delivery/errors.ts";
import type { CommitRef } from "../../delivery/types.ts";
import { hiddenPathAddress } from "../../delivery/webhook-address.ts";
import { bodyOf, discard } from "../../http/body.ts";
import { openHttpClient } from "../../http/client.ts";
import { reasonWithoutAnswer } from "../../http/no-answer.ts";
import { remoteText } from "../../http/remote-text.ts";
import { readRetryAfter } from "../../http/retry-after.ts";
import type { Report } from "../host.ts";
import type { StandardProof } from "../standard-proof.ts";

/** Statuses by which a receiver says that it will never take a report: it has no such commit, or no such path. */
const FINAL = [404, 410, 422];

interface ReportOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** Its path and query may hold a token: only scheme and host are shown. */
  reportUrl: string;
  proof: StandardProof;
  /** ms for one attempt; 15 s if left out. */
  timeout?: number | undefined;
}

/** Sends reports by POST, signed as Standard Webhooks says, one attempt for each call. */
export function reportSender({ key, reportUrl, proof, timeout = 15_000 }: ReportOptions) {
  const url = new URL(reportUrl);
  const target = `hosts.${key}.reportUrl (${hiddenPathAddress(reportUrl)})`;
  const send = openHttpClient({ idleTimeout: timeout });
  return async ({ repo, sha }: CommitRef, { context, state, description, targetUrl }: Report): Promise<void> => {
    const body = Buffer.from(
      JSON.stringify({
        type: "report",
        ...{ repo: `${repo.owner}/${repo.name}`, sha, context, state, description, url: targetUrl },
      }),
    );
    const headers = { "content-type": "application/json", ...proof.headersFor(body, Date.now()) };
    const signal = AbortSignal.timeout(timeout);
    const response = await send({ method: "POST", url, headers, body: bodyOf(body), signal }).catch(
      (error: unknown) => {
        throw new TransientError(
          "report-not-taken",
          `${target} gave no answer to a report: ${remoteText(reasonWithoutAnswer(error))}`,
          { cause: error },
        );
      },
    );
    discard(response);
    const { status } = response;
    if (status >= 200 && status < 300) return;
    if (FINAL.includes(status)) throw new Refused("report-refused", `${target} answered ${status} to a report.`);
    throw new TransientError("report-not-taken", `${target} answered ${status} to a report.`, {
      retryAfter: readRetryAfter(response.headers),
    });
  };
}
