import type { GitHubStandIn, Repo } from "../support/hosts/github/github.ts";
import { until } from "../support/processes/process.ts";
import type { TestRegistry } from "../support/registries/docker-registry.ts";
import type { NoticeSink } from "../support/world/notice-sink.ts";

/** What a test pushed and what its CI said of it, in the order in which it was pushed. */
export interface Pushed {
  repo: Repo;
  sha: string;
  ci: "green" | "red";
}

/** Where the truth is read: nothing of deliverd's own is among it. */
export interface Witnesses {
  github: GitHubStandIn;
  sink: NoticeSink;
  /** Every one that an artifact `<name>` goes to, as `acme/<name>`. */
  registries: TestRegistry[];
}

export interface Judgement {
  green: number;
  /** Green commits that stand everywhere under one digest, were announced, and bear success. */
  released: number;
  /** Why a green commit does not count as released, a line each. */
  lost: string[];
  /** What stands or was said twice, or should not stand at all. */
  duplicated: string[];
  /** Branch names that are not on the newest commit. */
  misplaced: string[];
}

/**
 * Judges by the registries, the host and the receiver of notices alone: releases are the green commits, each has one digest
 * under all its immutable names in all destinations and one notice id, its image says that it is of that commit, and the
 * last word on it is success. A red commit has none of it.
 */
export async function judge(pushed: Pushed[], witnesses: Witnesses): Promise<Judgement> {
  const judgement: Judgement = { green: 0, released: 0, lost: [], duplicated: [], misplaced: [] };
  for (const repo of new Set(pushed.map((one) => one.repo))) {
    const own = pushed.filter((one) => one.repo === repo);
    const shelves = await Promise.all(witnesses.registries.map((registry) => readShelf(registry, `acme/${repo.name}`)));
    for (const one of own) judgeCommit(one, shelves, witnesses, judgement);
    const known = new Set(own.map((one) => one.sha));
    for (const { host, names } of shelves) {
      for (const [tag, { revision }] of names) {
        if (!known.has(revision))
          judgement.duplicated.push(`${host}/acme/${repo.name}:${tag} is of no commit: ${revision}`);
      }
      const newest = own.findLast((one) => one.ci === "green");
      const main = names.get(repo.defaultBranch)?.revision;
      if (newest && main !== newest.sha)
        judgement.misplaced.push(`${host}/acme/${repo.name}:${repo.defaultBranch} is ${main}, not ${newest.sha}`);
    }
  }
  return judgement;
}

export function isContent(judgement: Judgement): boolean {
  const { lost, duplicated, misplaced } = judgement;
  return lost.length + duplicated.length + misplaced.length === 0;
}

/** What stands under each tag of one repository. */
interface Shelf {
  host: string;
  names: Map<string, { digest: string; revision: string }>;
}

function judgeCommit({ repo, sha, ci }: Pushed, shelves: Shelf[], { github, sink }: Witnesses, into: Judgement): void {
  const what = `${repo.name}@${sha.slice(0, 7)}`;
  const short = sha.slice(0, 7);
  const isImmutable = (tag: string) => tag === `sha-${short}` || tag.endsWith(`g${short}`);
  const standing = shelves.map(({ names }) => [...names].filter(([tag]) => isImmutable(tag)));
  const digests = new Set(standing.flat().map(([, { digest }]) => digest));
  const ids = new Set(sink.notices.filter(({ event }) => isAbout(event, repo, sha)).map(({ id }) => id));
  const said = github.lastStatus(repo, sha, `deliverd/${repo.name}`)?.state;

  if (digests.size > 1) into.duplicated.push(`${what} has ${digests.size} digests`);
  if (ids.size > 1) into.duplicated.push(`${what} has ${ids.size} notice ids`);
  for (const names of standing) if (names.length > 2) into.duplicated.push(`${what} has the names ${names.join(" ")}`);
  if (ci === "red") {
    if (digests.size + ids.size > 0 || said === "success") into.duplicated.push(`${what} is red, and was released`);
    return;
  }
  into.green++;
  const misses = [
    ...standing.flatMap((names, index) =>
      names.length < 2 ? [`${names.length} names in ${shelves[index]?.host}`] : [],
    ),
    ...standing.flat().flatMap(([tag, { revision }]) => (revision === sha ? [] : [`${tag} is of ${revision}`])),
    ...(ids.size === 0 ? ["no notice"] : []),
    ...(said === "success" ? [] : [`the last status is ${said ?? "none"}`]),
  ];
  if (misses.length === 0) into.released++;
  else into.lost.push(`${what}: ${misses.join(", ")}`);
}

/** That a release is ready to deploy, and of this commit. */
function isAbout(event: Record<string, unknown>, repo: Repo, sha: string): boolean {
  if (event.type !== "dev.cdevents.artifact.published.0.3.0") return false;
  const { customData } = event.data as { customData: { repo: string; sha: string } };
  return customData.sha === sha && customData.repo === `github/${repo.owner}/${repo.name}`;
}

const ACCEPT = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";

async function readShelf(registry: TestRegistry, repository: string): Promise<Shelf> {
  const headers = { accept: ACCEPT, ...(await loginOf(registry, repository)) };
  const ask = (path: string) => fetch(`${registry.url}/v2/${repository}/${path}`, { headers });
  const list = await ask("tags/list");
  const { tags } = list.ok ? ((await list.json()) as { tags: string[] | null }) : { tags: null };
  const names: Shelf["names"] = new Map();
  const revisions = new Map<string, string>();
  // `sha256-<digest>` lists the proofs of an image, and is the name of none.
  for (const tag of (tags ?? []).filter((each) => !each.startsWith("sha256-"))) {
    // docker-registry answers 500 or 404 where a tag is read at the very moment at which it is written.
    const manifest = await until(`${tag} can be read`, async () => {
      const answer = await ask(`manifests/${tag}`);
      return answer.status === 500 || answer.status === 404 ? null : answer;
    });
    if (!manifest.ok) throw new Error(`${repository}:${tag}: ${manifest.status}`);
    const digest = manifest.headers.get("docker-content-digest") ?? "";
    const { config } = (await manifest.json()) as { config: { digest: string } };
    const revision = revisions.get(config.digest) ?? (await revisionOf(await ask(`blobs/${config.digest}`)));
    revisions.set(config.digest, revision);
    names.set(tag, { digest, revision });
  }
  return { host: registry.host, names };
}

async function loginOf(
  { username, password, tokens }: TestRegistry,
  repository: string,
): Promise<Record<string, string>> {
  if (username === "") return {};
  const basic = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
  if (tokens === undefined) return basic;
  const query = new URLSearchParams({ service: "registry", scope: `repository:${repository}:pull` });
  const answer = await fetch(`${tokens.realm}?${query}`, { headers: basic });
  const { token } = (await answer.json()) as { token: string };
  return { authorization: `Bearer ${token}` };
}

async function revisionOf(answer: Response): Promise<string> {
  const { config } = (await answer.json()) as { config: { Labels?: Record<string, string> } };
  return config.Labels?.["org.opencontainers.image.revision"] ?? "nothing";
}
