import { html, type Markup } from "./html.ts";

/** How a state looks, besides its word: people who see no colours tell the shapes apart. */
const SHAPES: Record<string, { shape: string; tone: string }> = {
  waiting: { shape: "◷", tone: "idle" },
  pending: { shape: "◷", tone: "idle" },
  queued: { shape: "◔", tone: "busy" },
  building: { shape: "◑", tone: "busy" },
  frozen: { shape: "◕", tone: "busy" },
  publishing: { shape: "◕", tone: "busy" },
  delivered: { shape: "●", tone: "good" },
  released: { shape: "●", tone: "good" },
  unchanged: { shape: "○", tone: "good" },
  failed: { shape: "✕", tone: "bad" },
  cancelled: { shape: "■", tone: "idle" },
  superseded: { shape: "→", tone: "idle" },
  ignored: { shape: "–", tone: "idle" },
};

export function toneOf(state: string): string {
  return SHAPES[state]?.tone ?? "idle";
}

/** The word of a delivery's or artifact's state, with its shape and colour. */
export function stateLabel(state: string): Markup {
  const { shape = "·", tone = "idle" } = SHAPES[state] ?? {};
  return html`<span class="state ${tone}"><span aria-hidden="true">${shape}</span> ${state}</span>`;
}
