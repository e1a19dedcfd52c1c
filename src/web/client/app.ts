// The script of all pages. Every page is complete without it: it only keeps pages current, and makes logs easier to read.

interface HtmlPolicy {
  createHTML(text: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: HtmlPolicy): HtmlPolicy;
}
const { trustedTypes } = window as unknown as { trustedTypes?: TrustedTypes };
/** HTML comes only from this server, which has escaped it. */
const rules: HtmlPolicy = { createHTML: (text) => text };
const policy = trustedTypes?.createPolicy("deliverd", rules) ?? rules;

function toElement(html: string): Element | null {
  const document = new DOMParser().parseFromString(policy.createHTML(html), "text/html");
  return document.body.firstElementChild;
}

/** Replaces a region of the page, and keeps what a person has opened or focused in it. */
function replaceRegion(id: string, html: string): void {
  const old = document.getElementById(id);
  const fresh = toElement(html);
  if (old === null || fresh === null || old.isEqualNode(fresh)) return;
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((each) => each.id));
  for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.setAttribute("open", "");
  const focused = document.activeElement;
  const link = focused !== null && old.contains(focused) ? focused.getAttribute("href") : null;
  old.replaceWith(fresh);
  if (link !== null) fresh.querySelector<HTMLElement>(`a[href="${CSS.escape(link)}"]`)?.focus();
  fresh.classList.add("fresh");
  showTimes();
}

/** One stream for the page, closed while nobody sees it. */
function follow(topic: string): void {
  let source: EventSource | null = null;
  const open = () => {
    source = new EventSource(`/events?topics=${encodeURIComponent(topic)}`);
    source.addEventListener("region", (event: MessageEvent<string>) => {
      const { id, html } = JSON.parse(event.data) as { id: string; html: string };
      replaceRegion(id, html);
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (source === null) open();
  });
  if (!document.hidden) open();
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As src/web/times.ts writes it. */
function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / 1_000))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h` : `${Math.floor(ms / DAY)} d`;
}

function showTimes(): void {
  for (const each of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const ms = Date.now() - Date.parse(each.dateTime);
    each.textContent = each.dataset.ago === "ago" ? `${duration(ms)} ago` : duration(ms);
  }
}

const LINES_PER_BLOCK = 500;

/** Shows the line that the address names, as #L9987, and marks it. */
function showLine(log: HTMLElement): void {
  for (const mark of log.querySelectorAll(".line-at")) mark.replaceWith(...mark.childNodes);
  const number = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
  const first = Math.floor((number - 1) / LINES_PER_BLOCK) * LINES_PER_BLOCK + 1;
  const block = document.getElementById(`L${first}`);
  if (number < 1 || block === null || !log.contains(block)) return;
  block.normalize();
  const text = block.firstChild;
  if (!(text instanceof Text)) return;
  let start = 0;
  for (let line = first; line < number; line++) {
    const end = text.data.indexOf("\n", start);
    if (end < 0) return;
    start = end + 1;
  }
  const end = text.data.indexOf("\n", start);
  const range = document.createRange();
  range.setStart(text, start);
  range.setEnd(text, end < 0 ? text.length : end);
  const mark = document.createElement("span");
  mark.className = "line-at";
  range.surroundContents(mark);
  mark.scrollIntoView({ block: "center" });
}

/** The number of the line at a point of a block. */
function lineAt(block: Element, x: number, y: number): number | null {
  const caret = document.caretRangeFromPoint?.(x, y);
  if (!caret || !block.contains(caret.startContainer)) return null;
  const before = document.createRange();
  before.setStart(block, 0);
  before.setEnd(caret.startContainer, caret.startOffset);
  return Number(block.id.slice(1)) + before.toString().split("\n").length - 1;
}

/** Appends what comes, and keeps the end in view as long as the person does. */
function followLog(log: HTMLElement, url: string): void {
  const pill = document.createElement("button");
  pill.className = "pill";
  pill.hidden = true;
  document.body.append(pill);
  let unseen = 0;
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 40;
  const toEnd = () => window.scrollTo({ top: document.documentElement.scrollHeight });
  const append = (line: string) => {
    let block = log.lastElementChild;
    const count = Number(log.dataset.lines ?? 0);
    if (block === null || count % LINES_PER_BLOCK === 0) {
      block = document.createElement("pre");
      block.id = `L${count + 1}`;
      log.append(block);
    }
    block.append(`${line}\n`);
    log.dataset.lines = String(count + 1);
  };
  pill.addEventListener("click", toEnd);
  window.addEventListener("scroll", () => {
    if (!atEnd()) return;
    unseen = 0;
    pill.hidden = true;
  });
  const source = new EventSource(url);
  let skip = Number(log.dataset.lines ?? 0);
  source.addEventListener("log", (event: MessageEvent<string>) => {
    const follows = atEnd();
    for (const line of event.data.split("\n")) {
      // The stream begins at the first line, and the page has some already.
      if (skip > 0) skip -= 1;
      else {
        append(line);
        unseen += 1;
      }
    }
    if (follows) toEnd();
    else if (unseen > 0) {
      pill.textContent = `${unseen} new lines ↓`;
      pill.hidden = false;
    }
  });
  source.addEventListener("end", () => source.close());
}

function startLog(log: HTMLElement): void {
  showLine(log);
  window.addEventListener("hashchange", () => showLine(log));
  log.addEventListener("dblclick", (event) => {
    const block = (event.target as Element).closest("pre");
    const line = block === null ? null : lineAt(block, event.clientX, event.clientY);
    if (line !== null) location.hash = `L${line}`;
  });
  const wrap = document.getElementById("wrap");
  wrap?.removeAttribute("hidden");
  wrap?.addEventListener("click", () => {
    const isWrapped = !log.classList.toggle("nowrap");
    wrap.setAttribute("aria-pressed", String(isWrapped));
  });
  const { follow: url } = log.dataset;
  if (url !== undefined) followLog(log, url);
}

const { topic } = document.body.dataset;
if (topic !== undefined) follow(topic);
const log = document.getElementById("log");
if (log !== null) startLog(log);
for (const button of document.querySelectorAll<HTMLElement>("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(button.dataset.copy ?? "").then(() => {
      button.textContent = "Copied";
    });
  });
}
// A page of another site led here without the session, which only a form of this site brings.
document.querySelector<HTMLFormElement>("form[data-send-on]")?.submit();
setInterval(showTimes, 10_000);
