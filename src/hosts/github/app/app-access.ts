import type { KeyObject } from "node:crypto";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import type { Repo } from "../../../delivery/types.ts";
import { createCallCounter, createHostClock } from "../../rest/meter.ts";
import type { GitHubAccess } from "../access.ts";
import { apiOver, type GitHubApi, openWire, type Wire } from "../api.ts";
import { appLogin } from "./app-login.ts";
import { installationLogin } from "./installation-login.ts";
import { Installations } from "./installations.ts";
import { InstallationTokens, type Narrowing } from "./tokens.ts";

export interface AppAccessOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  apiUrl: string;
  appId: number;
  privateKey: KeyObject;
  timeout?: number | undefined;
  retryBase?: number | undefined;
  now: () => number;
  /** Gets each token that GitHub makes, so that no log shows it. */
  learn: (secret: string) => void;
}

export interface AppAccess extends GitHubAccess {
  /** Logged in as the App itself. Its calls do not use the limit of an installation. */
  app: GitHubApi;
  appId: number;
  installations: Installations;
}

/** Connections and limits of so many owners are kept. */
const MAX_OWNERS = 1_000;
const MAX_APIS = 2_000;

/** Calls GitHub as an App: each call with a token that reaches no further than it has to. */
export function appAccess(options: AppAccessOptions): AppAccess {
  const { key, appId, privateKey, now, learn } = options;
  const clock = createHostClock(now);
  const calls = createCallCounter();
  const app = apiOver(openWire({ ...options, shared: { clock } }), appLogin({ key, appId, privateKey, now }, clock));
  const installations = new Installations(app);
  const tokens = new InstallationTokens({ key, app, installations, clock, now, learn });
  // GitHub counts the calls of each installation by itself.
  const wires = new BoundedCache<Wire>(MAX_OWNERS);
  const apis = new BoundedCache<GitHubApi>(MAX_APIS);

  const wireOf = (owner: string): Wire => {
    const wire = wires.get(accountOf(owner)) ?? openWire({ ...options, shared: { clock, calls } });
    wires.set(accountOf(owner), wire);
    return wire;
  };
  const apiOf = (owner: string, narrowing: Narrowing): GitHubApi => {
    const id = JSON.stringify([accountOf(owner), narrowing]);
    const known = apis.get(id);
    if (known !== undefined) return known;
    const api = apiOver(wireOf(owner), installationLogin({ key, owner, narrowing, tokens, now }));
    apis.set(id, api);
    return api;
  };
  const leastBudget = () => {
    const known = wires.values().flatMap(({ meter }) => meter.budget() ?? []);
    return known.toSorted((a, b) => a.remaining - b.remaining)[0] ?? null;
  };

  return {
    app,
    appId,
    installations,
    ofRepo: (repo) => apiOf(repo.owner, { repository_ids: [numberOf(repo)] }),
    ofOwner: async (owner) =>
      (await installations.idOf(owner)) === null ? null : apiOf(owner, { permissions: { metadata: "read" } }),
    repoLists: () => [{ route: "GET /installation/repositories", parameters: {} }],
    async cloneToken(repo) {
      const narrowing: Narrowing = { repository_ids: [numberOf(repo)], permissions: { contents: "read" } };
      return (await tokens.get(repo.owner, narrowing)).token;
    },
    budget: (account) => (account === undefined ? leastBudget() : (wires.get(account)?.meter.budget() ?? null)),
    counted: calls.counted,
    clockAhead: clock.ahead,
  };
}

/** An owner has one installation, and GitHub compares owners without case. */
export function accountOf(owner: string): string {
  return owner.toLowerCase();
}

/** GitHub's own id of a repo: its name may change while a token lives. */
function numberOf({ id }: Pick<Repo, "id">): number {
  return Number(id.slice(id.indexOf(":") + 1));
}
