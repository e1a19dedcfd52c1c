import { html, type Markup } from "./html.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `3 s`, `5 min`, `2 h`, `4 d`. The script of the pages writes the same. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** A point in time, as how long ago it was. @param now ms since the epoch */
export function ago(at: number, now: number): Markup {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" title="${iso}" data-ago="ago">${duration(now - at)} ago</time>`;
}

/** How long something has lasted that began then and still lasts. */
export function since(at: number, now: number): Markup {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" title="since ${iso}" data-ago="since">${duration(now - at)}</time>`;
}
