import { setTimeout as delay } from "node:timers/promises";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { repoUrl } from "../../src/delivery/repo-name.ts";
import { git } from "../../test/support/hosts/git.ts";
import type { ProductRepo } from "../../test/support/hosts/products.ts";
import { accompany, type Scene } from "./scene.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Teller } from "./teller.ts";

/** How often the demo looks for commits that a person pushed (ms). */
const LOOK_EVERY_MS = 300;

/** Says how to use what runs, and delivers what a person pushes, until the signal. */
export async function keep(scene: Scene, tell: Teller, signal: AbortSignal): Promise<void> {
  const { around, addresses } = scene;
  await letPersonPush(around.repo);
  const known = await refsOf(around.repo);
  explain(around, addresses, tell);
  while (!signal.aborted) {
    for (const [ref, sha] of await refsOf(around.repo)) {
      if (known.get(ref) === sha) continue;
      known.set(ref, sha);
      await announce(around, ref, sha, tell, signal).catch((error: Error) => {
        if (!signal.aborted) tell.failed(`"${tell.current()}" failed: ${error.message}`);
      });
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}

/** A work tree in which `git commit` and `git push` work as they are. */
async function letPersonPush(repo: ProductRepo): Promise<void> {
  const branch = await repo.git("symbolic-ref", "--short", "HEAD");
  for (const [key, value] of [
    ["user.name", "Demo"],
    ["user.email", "demo@example.com"],
    ["remote.origin.url", repo.repo.directory],
    [`branch.${branch}.remote`, "origin"],
    [`branch.${branch}.merge`, `refs/heads/${branch}`],
  ] as const)
    await repo.git("config", key, value);
}

function explain({ deliverd, host, repo }: Surroundings, addresses: Scene["addresses"], tell: Teller): void {
  const { url, adminToken, configFile } = deliverd;
  tell.step("Kept running", "until Ctrl-C, which ends and removes everything");
  tell.fact("dashboard", `${url}/  (sign in with the admin token: ${adminToken})`);
  tell.fact("configuration", `${configFile}  (the admin token stands in it as adminToken)`);
  tell.fact("command line", `DELIVERD_SERVER=${url} DELIVERD_TOKEN=${adminToken} node dist/src/cli/index.js releases`);
  for (const [label, text] of addresses) tell.fact(label, text);
  tell.fact("git", repoUrl(String(host.settings.cloneUrl), repo, ".git"));
  tell.step("A commit of your own", "in another terminal; its CI turns green by itself");
  tell.quote(
    [`cd ${repo.directory}`, "echo 'your own words' > own.txt", "git add own.txt", "git commit -m 'My own commit'"]
      .concat("git push")
      .join("\n"),
  );
}

/** Does what a host does after a push: it sends webhooks, and then CI passes. */
async function announce(around: Surroundings, ref: string, sha: string, tell: Teller, signal: AbortSignal) {
  tell.step("git push", `${ref}, ${sha.slice(0, 7)}`);
  const hooks = await around.host.push(around.repo, ref);
  if (!ref.startsWith("refs/heads/")) return;
  const { state } = await accompany(around, { sha, hooks }, tell, signal);
  if (state !== "delivered") return;
  const { items } = await around.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?sha=${sha}`);
  for (const { artifact, version, locations } of items) {
    tell.step("release", `${artifact} ${version}`);
    tell.fact("fetch it with", locations[0]?.pull ?? "");
  }
}

async function refsOf({ repo }: ProductRepo): Promise<Map<string, string>> {
  const text = await git(repo.directory, ["for-each-ref", "--format=%(refname) %(objectname)"]);
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
