import type { Request, Response } from "express";
import type { Auth } from "../api/auth.ts";
import { type Delivery, FINISHED_STATES } from "../ledger/deliveries.ts";
import { repoName } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Assets } from "./assets/serve.ts";
import { html } from "./html.ts";
import { writeLogBlocks } from "./log.ts";
import { createSendPage } from "./page.ts";
import { stateLabel } from "./table.ts";

/** Sends the whole log of a delivery as a page, while it is read. */
export async function sendLogPage(
  { ledger, auth, assets }: { ledger: Ledger; auth: Auth; assets: Assets },
  { id, repoId, sha, state }: Delivery,
  request: Request,
  response: Response,
): Promise<void> {
  const repo = await repoName(ledger, repoId);
  const begin = html`<h1>Log of <a href="/deliveries/${id}">${repo} <code>${sha.slice(0, 7)}</code></a> ${stateLabel(state)}</h1>
<p><a href="/api/v1/deliveries/${id}/log" download="${id}.log">Download</a> <button id="wrap" hidden aria-pressed="true">Wrap lines</button>
<small>A double click on a line puts its number in the address.</small></p>`;
  const live = FINISHED_STATES.includes(state) ? null : html` data-follow="/api/v1/deliveries/${id}/log"`;
  await createSendPage(auth, assets)(request, response, {
    title: `Log ${sha.slice(0, 7)}`,
    body: html`${begin}<div class="log" id="log"${live}>`,
    stream: async () => {
      const lines = await writeLogBlocks(ledger, id, response);
      return html`</div><p class="muted">${lines} lines</p>`;
    },
  });
}
