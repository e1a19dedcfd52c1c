import { html, type Markup, type Value } from "./html.ts";

/** A table with a row of headings. */
export function table(headings: string[], rows: Value[][]): Markup {
  return html`<table><tr>${headings.map((each) => html`<th>${each}</th>`)}</tr>
${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</table>`;
}

/** The name of a delivery's or artifact's state, as a coloured label. */
export function stateLabel(name: string): Markup {
  return html`<span class="state ${name}">${name}</span>`;
}
