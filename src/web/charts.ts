import type { Bar } from "../ledger/now.ts";
import { html, type Markup } from "./html.ts";
import { toneOf } from "./state.ts";
import { duration } from "./times.ts";

const BAR_WIDTH = 7;
const GAP = 2;
const HEIGHT = 28;
const MIN_HEIGHT = 4;

/** Deliveries as bars: the height is how long each took, the colour what became of it. Each is a link. */
export function barChart(bars: Bar[], label: string): Markup {
  const times = bars.map(({ startedAt, finishedAt, createdAt }) =>
    startedAt === null ? 0 : Math.max(0, (finishedAt ?? Math.max(startedAt, createdAt)) - startedAt),
  );
  const longest = Math.max(1, ...times);
  const width = Math.max(1, bars.length * (BAR_WIDTH + GAP) - GAP);
  const each = bars.map(({ id, state }, index) => {
    const ms = times[index] ?? 0;
    const height = Math.max(MIN_HEIGHT, Math.round((ms / longest) * HEIGHT));
    return html`<a href="/deliveries/${id}" aria-label="${state}, ${duration(ms)}"><title>${state}, ${duration(ms)}</title>
<rect class="bar ${toneOf(state)}" x="${index * (BAR_WIDTH + GAP)}" y="${HEIGHT - height}" width="${BAR_WIDTH}" height="${height}"/></a>`;
  });
  return html`<svg class="bars" role="group" aria-label="${label}" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}">${each}</svg>`;
}

/** A time in which something waited or worked. */
export interface Span {
  name: string;
  /** What it shows on the right, as its outcome. */
  text: string;
  from: number;
  /** Null: it still lasts. */
  to: number | null;
  tone: string;
}

/** Spans one below the other, from the first begin to the last end. */
export function waterfall(spans: Span[], now: number): Markup {
  if (spans.length === 0) return html``;
  const start = Math.min(...spans.map(({ from }) => from));
  const end = Math.max(start + 1, ...spans.map(({ to }) => to ?? now));
  const place = (at: number) => (((at - start) / (end - start)) * 100).toFixed(2);
  const rows = spans.map(({ name, text, from, to, tone }) => {
    const width = Math.max(0.5, Number(place(to ?? now)) - Number(place(from))).toFixed(2);
    const bar = html`<svg class="span" aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none"><rect class="bar ${tone}" x="${place(from)}" y="1" width="${width}" height="8"/></svg>`;
    return html`<tr><th scope="row">${name}</th><td class="wide">${bar}</td><td class="tight">${duration((to ?? now) - from)}</td><td>${text}</td></tr>`;
  });
  return html`<table class="waterfall"><caption>Where the time went</caption>
<thead><tr><th scope="col">Stage</th><th scope="col">When</th><th scope="col">Time</th><th scope="col">Outcome</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}
