import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import { judge } from "../../../src/delivery/gate.ts";
import type { Check, Sha } from "../../../src/delivery/types.ts";
import type { CloneSource, Hint, Host, Report } from "../../../src/hosts/host.ts";
import type { Network } from "../machine/network.ts";
import type { Actor, Scheduler } from "../machine/scheduler.ts";
import type { GitServer } from "./mirror.ts";

/** A repo on the host. */
export interface SimRepo {
  hostId: string;
  owner: string;
  name: string;
  defaultBranch: string;
  /** Full refs. */
  refs: Map<string, Sha>;
}

/** The git host as it is: its repos, CI results and the statuses that it was sent. */
export class HostServer {
  readonly repos: SimRepo[] = [];
  /** Names that a repo had before, lower case. */
  readonly #former = new Map<string, SimRepo>();
  readonly checks = new Map<Sha, Check[]>();
  /** By sha and context: every report that arrived, in order. */
  readonly reports = new Map<string, Report[]>();
  /** By commit: when the host answered that its CI is green, and when it was asked at all. */
  readonly answeredGreen = new Map<Sha, number>();
  readonly askedCi = new Map<Sha, number>();
  /** Virtual time until which the host answers nothing. */
  downUntil = 0;

  rename(repo: SimRepo, name: string): void {
    this.#former.set(`${repo.owner}/${repo.name}`.toLowerCase(), repo);
    repo.name = name;
  }

  find(owner: string, name: string): SimRepo | null {
    const key = `${owner}/${name}`.toLowerCase();
    const current = this.repos.find((repo) => `${repo.owner}/${repo.name}`.toLowerCase() === key);
    return current ?? this.#former.get(key) ?? null;
  }
}

const FULL_REPO = (repo: SimRepo) => ({
  hostId: repo.hostId,
  owner: repo.owner,
  name: repo.name,
  defaultBranch: repo.defaultBranch,
});

interface Ports {
  scheduler: Scheduler;
  network: Network;
}

const LATENCY = [5, 120] as const;
const PATIENCE_MS = 10_000;

/** A process's client of the host, and of its git server. */
export function hostClient(
  server: HostServer,
  caller: Actor,
  { scheduler, network }: Ports,
): Host & { git: GitServer } {
  const failure = (why: string) => new TransientError("host-unreachable", `the host does not answer: ${why}`);
  const ask = <T>(to: string, serve: () => T, signal?: AbortSignal): Promise<T> =>
    network.call({
      ...{ caller, to, failure, signal, latency: LATENCY, patience: PATIENCE_MS, mayRepeat: true },
      serve: () => {
        if (scheduler.now < server.downUntil) throw failure("it is down");
        return serve();
      },
    });
  return {
    async readHints({ body }) {
      return { hints: JSON.parse(body.toString("utf8")) as Hint[] };
    },
    findRepo: (owner, name) =>
      ask("the host's API: repo", () => {
        const repo = server.find(owner, name);
        return repo === null ? null : FULL_REPO(repo);
      }),
    listRepos: (owner) =>
      ask("the host's API: repos", () => server.repos.filter((repo) => repo.owner === owner).map(FULL_REPO)),
    budget: () => null,
    async counted(work) {
      await work();
      return 1;
    },
    ciState: ({ repo, sha }, gate) =>
      ask("the host's API: checks", () => {
        if (server.find(repo.owner, repo.name) === null) throw new Refused("host-commit-gone", `no commit ${sha}`);
        const state = judge(server.checks.get(sha) ?? [], gate, { hostRequired: null, now: scheduler.now });
        server.askedCi.set(sha, scheduler.now);
        if (state.verdict === "green") server.answeredGreen.set(sha, scheduler.now);
        return state;
      }),
    cloneSource: async ({ owner, name }) => ({ url: `https://host.example/${owner}/${name}.git`, authorization: null }),
    report: ({ sha }, report) =>
      ask("the host's API: status", () => {
        const key = `${sha} ${report.context}`;
        server.reports.set(key, [...(server.reports.get(key) ?? []), report]);
      }),
    git: {
      fetch: (source, signal) => ask("git", () => serveRefs(server, source), signal),
    },
  };
}

function serveRefs(server: HostServer, { url }: CloneSource): { refs: Map<string, Sha>; defaultBranch: string } {
  const [owner = "", file = ""] = new URL(url).pathname.slice(1).split("/");
  const name = file.replace(/\.git$/, "");
  const repo = server.find(owner, name);
  if (repo === null) throw new Refused("git-access-denied", `${url} shows no repo`);
  if (repo.name !== name) throw new Refused("git-redirected", `${url} redirects to another name`);
  return { refs: new Map(repo.refs), defaultBranch: repo.defaultBranch };
}
