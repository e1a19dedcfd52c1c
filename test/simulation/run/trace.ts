import { createHash } from "node:crypto";
import type { Fault } from "../machine/network.ts";
import type { World } from "../world/process.ts";
import type { Action } from "./scenario.ts";
import type { Seen } from "./story.ts";

/** What happened in a run, for people, and its hash. */
export class Trace {
  readonly #lines: { at: number; text: string }[] = [];
  readonly #now: () => number;
  readonly #start: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#start = now();
  }

  note(text: string): void {
    this.#lines.push({ at: this.#now(), text });
  }

  fault(fault: Fault, caller: string, to: string): void {
    this.note(`  ${FAULT_WORDS[fault]}: ${caller} and ${to}`);
  }

  action(action: Action): void {
    this.note(said(action));
  }

  /** Adds what deliverd decided and tried, in the words of `deliverd why`. */
  async explain({ database }: World, { ids }: Seen): Promise<void> {
    const rows = await database.ask<{ at: number; sha: string; text: string }>(
      `select at, sha, action || ': ' || because as text from decisions
      union all select a.started_at, d.sha, 'attempt ' || a.fence || ' by ' || a.owner || ' begins' from attempts a
        join deliveries d on d.id = a.delivery_id
      union all select a.ended_at, d.sha, 'attempt ' || a.fence || ' ends ' || a.outcome || ': ' || coalesce(a.message, '')
        from attempts a join deliveries d on d.id = a.delivery_id where a.ended_at is not null
      union all select l.at, d.sha, l.repository || ':' || l.tag || ' in ' || l.registry || ' is ' || l.digest
        from locations l join deliveries d on d.id = l.delivery_id
      union all select r.released_at, r.sha, r.artifact || ' is released as ' || r.version from releases r`,
    );
    for (const { at, sha, text } of rows)
      this.#lines.push({
        at: Number(at),
        text: `    ${ids.get(sha) ?? sha}: ${text.replace(/(sha256:.{7})\S*/, "$1")}`,
      });
  }

  /** By time; what a line says came `start` seconds after the start. */
  get lines(): string[] {
    const inOrder = this.#lines.toSorted((one, other) => one.at - other.at);
    return inOrder.map(({ at, text }) => `${((at - this.#start) / 1000).toFixed(3).padStart(9)}  ${text}`);
  }

  /** Of all that was seen, the order of events, and what stands in the ledger and in the registries. */
  async hash({ database, registries, scheduler, notices }: World): Promise<string> {
    const hash = createHash("sha256");
    hash.update(this.lines.join("\n")).update(`${scheduler.events} ${scheduler.now}`);
    for (const table of ["deliveries", "decisions", "attempts", "releases", "locations", "outbox", "hints"])
      hash.update(JSON.stringify(await database.ask(`select * from ${table}`), (_, value) => String(value)));
    for (const registry of registries.values()) hash.update(JSON.stringify([...registry.tags]));
    return hash.update(JSON.stringify(notices)).digest("hex").slice(0, 16);
  }
}

const FAULT_WORDS: Record<Fault, string> = {
  lost: "a request is lost",
  "answer-lost": "an answer is lost",
  slow: "a request takes long",
  twice: "a request arrives twice",
  refused: "a request is refused",
  kill: "a process dies during a call",
  pause: "a process stops for a while during a call",
};

/** What happens, as a person would tell it. */
function said(action: Action): string {
  const repo = "repo" in action ? ` in repo${action.repo}` : "";
  switch (action.kind) {
    case "push":
      return `push of ${action.commits.map(({ id }) => id).join(", ")} to ${action.branch}${repo}`;
    case "force-push":
      return `forced push of ${action.commit.id} to ${action.branch}${repo}, in place of its head`;
    case "branch":
      return `branch ${action.branch} is set to ${action.of}${repo}`;
    case "delete-branch":
      return `branch ${action.branch} is deleted${repo}`;
    case "tag":
      return `tag ${action.tag} is set on ${action.commit}${repo}`;
    case "ci":
      return `CI of ${action.commit} is ${action.state}`;
    case "rename":
      return `repo${action.repo} is renamed to ${action.name}`;
    case "cancel":
    case "retry":
      return `a person asks to ${action.kind} ${action.commit}`;
    case "squat":
      return `somebody else takes the name of ${action.commit} in ${action.registry}`;
    case "registry-down":
      return `registry ${action.registry} is down for ${action.ms} ms`;
    case "host-down":
      return `the host is down for ${action.ms} ms`;
    case "redis-down":
      return `Redis is down for ${action.ms} ms`;
    case "redis-emptied":
      return "Redis is emptied";
    case "kill":
      return `worker ${action.machine} is killed`;
    case "pause":
      return `worker ${action.machine} stops for ${action.ms} ms`;
    case "disk-lost":
      return `worker ${action.machine} loses its disk`;
  }
}
