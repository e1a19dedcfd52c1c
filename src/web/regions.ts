import { html, type Markup } from "./html.ts";

/** A part of a page that is sent again when it has changed. */
export interface Region {
  /** The id of its element, unique in the page. */
  id: string;
  body: Markup;
}

/** The element of a region, the same in the page and in an event. */
export function regionMarkup({ id, body }: Region): Markup {
  return html`<section id="${id}">${body}</section>`;
}
