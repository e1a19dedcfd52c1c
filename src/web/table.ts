import { html, type Markup, type Value } from "./html.ts";

export { stateLabel } from "./state.ts";

/** A table with a row of headings. @param caption what the table lists, for those who do not see it */
export function table(caption: string, headings: string[], rows: Value[][]): Markup {
  return html`<table><caption>${caption}</caption><thead><tr>${headings.map((each) => html`<th scope="col">${each}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table>`;
}
