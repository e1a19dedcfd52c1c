import type { DeliveryView } from "../api/delivery-view.ts";
import { DELIVERY_STATES } from "../ledger/deliveries.ts";
import { html, type Markup } from "./html.ts";
import { stateLabel, table } from "./table.ts";
import { firstLine } from "./text.ts";
import { ago } from "./times.ts";

/** A table with one row per delivery. @param now ms since the epoch */
export function deliveryTable(views: DeliveryView[], now: number): Markup {
  if (views.length === 0) return html`<p>There are none.</p>`;
  return table(
    "Deliveries, newest first",
    ["State", "Repo", "Commit", "Because", "Seen"],
    views.map(({ id, repo, sha, state, because, createdAt }) => [
      stateLabel(state),
      repo,
      html`<a href="/deliveries/${id}"><code>${sha.slice(0, 7)}</code></a>`,
      firstLine(because),
      ago(Date.parse(createdAt), now),
    ]),
  );
}

/** A form whose fields are the query of the page, so that a view is a link. */
export function deliveryFilter({ repo, state }: { repo?: string | undefined; state?: string | undefined }): Markup {
  const options = DELIVERY_STATES.map(
    (each) => html`<option${each === state ? html` selected` : null}>${each}</option>`,
  );
  return html`<form class="line" role="search"><input name="repo" value="${repo}" placeholder="owner/name" aria-label="Repo">
<select name="state" aria-label="State"><option value="">any state</option>${options}</select><button>Filter</button></form>`;
}
