import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { DeliveryView } from "../../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../../src/delivery/release-view.ts";
import { type Engine, startEngine } from "../engine/engine.ts";
import { type SampleRepo, sampleRepo } from "../fixtures/sample-repo.ts";
import type { Files } from "../fixtures/work-tree.ts";
import { type GitHubStandIn, startGitHub } from "../hosts/github/github.ts";
import { until } from "../processes/process.ts";
import { startRegistry, type TestRegistry } from "../registries/docker-registry.ts";
import { type Deliverd, type DeliverdOptions, startDeliverd } from "./deliverd.ts";
import { type NoticeSink, type ReceivedNotice, startNoticeSink } from "./notice-sink.ts";

const run = promisify(execFile);

export const WEBHOOK_SECRET = "webhook-canary-secret";
const GITHUB_TOKEN = "ghs_canary+token/0123456789";

/** What a deliverd lives among. */
export interface Surroundings {
  engine: Engine;
  /** `local`, the default; asks for a password. */
  registry: TestRegistry;
  /** `second`; open. */
  second: TestRegistry;
  github: GitHubStandIn;
  sink: NoticeSink;
}

/** As the API shows a release. */
export type ApiRelease = ReleaseView & { proof: string };

/** Everything around a deliverd: an engine, registries, GitHub, somebody who waits for notices; and the deliverd itself. */
export interface World extends Surroundings {
  deliverd: Deliverd;
  /** A repo `acme/<name>` of the usual image, not pushed. It goes with the world. */
  repo(name: string, files?: Files): Promise<SampleRepo>;
  /** Pushes the branch checked out, lets the check `test` pass, and waits for success. @returns the sha */
  release(repo: SampleRepo, artifact?: string): Promise<string>;
  /** The commit's delivery as the API tells it. */
  delivery(repo: SampleRepo, sha: string): Promise<DeliveryView>;
  releases(repo: SampleRepo, sha: string): Promise<ApiRelease[]>;
  log(repo: SampleRepo, sha: string): Promise<string>;
  /** Those that came about this commit, in their order: of its releases, or of red CI after them. */
  notices(repo: SampleRepo, sha: string, type?: "artifact.published" | "pipelinerun.finished"): ReceivedNotice[];
  /** Waits until the commit bears a status of this state under `deliverd/<artifact>`, and gives it. */
  status(
    repo: SampleRepo,
    sha: string,
    artifact: string | null,
    state: string,
    timeout?: number,
  ): Promise<{ description: string | null; targetUrl: string | null }>;
  /** The digest under a tag in the first registry, null where there is none. */
  digest(repository: string, tag: string, registry?: TestRegistry): Promise<string | null>;
  /** Those of images: `sha256-<digest>` lists the proofs of one. */
  tags(repository: string): Promise<string[]>;
  /** The image's configuration under a name, by a client that shares no line with ours. */
  inspect(repository: string, tag: string): Promise<ImageConfig>;
  stop(): Promise<void>;
}

export interface ImageConfig {
  config: { Labels?: Record<string, string>; Env?: string[] };
}

/** A `.deliverd.yml` that asks for the check `test` alone, so that nothing has to settle. */
export function pipeline(artifacts: Record<string, unknown>[], more: Record<string, unknown> = {}): string {
  return stringify({ version: 1, ci: { required: ["test"] }, artifacts, ...more });
}

/** An image artifact, to `local` under `acme/<name>` unless told otherwise. */
export function image(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, kind: "image", publish: [{ to: "local", as: `acme/${name}` }], ...more };
}

/** A Dockerfile that builds for so many seconds. */
export function slowDockerfile(seconds: number): string {
  return `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "${seconds}"]\nCOPY greeting.txt /\n`;
}

export async function startWorld(
  options: {
    /** Merged over the usual one. */
    config?:
      | Record<string, unknown>
      | ((around: Surroundings) => Record<string, unknown> | Promise<Record<string, unknown>>);
    env?: Record<string, string>;
    command?: DeliverdOptions["command"];
  } = {},
): Promise<World> {
  const opened: (() => Promise<unknown>)[] = [];
  const open = async <T>(start: Promise<T>, stop: (value: T) => Promise<unknown>): Promise<T> => {
    const value = await start;
    opened.push(() => stop(value));
    return value;
  };
  const stop = async () => {
    for (const close of opened.reverse().splice(0)) await close();
  };
  try {
    const engine = await open(startEngine(), (one) => one.stop());
    const registry = await open(startRegistry({ auth: "htpasswd" }), (one) => one.stop());
    const second = await open(startRegistry(), (one) => one.stop());
    const github = await open(startGitHub({ token: GITHUB_TOKEN }), (one) => one.close());
    const sink = await open(startNoticeSink(), (one) => one.stop());
    const config = {
      docker: { socket: engine.socket },
      hosts: {
        github: {
          type: "github",
          apiUrl: github.apiUrl,
          cloneUrl: github.cloneUrl,
          webhookSecret: WEBHOOK_SECRET,
          token: github.token,
        },
      },
      registries: {
        local: {
          type: "oci",
          url: registry.url,
          username: registry.username,
          password: registry.password,
          default: true,
        },
        second: { type: "oci", url: second.url },
      },
      notices: [{ type: "webhook", url: sink.url, secret: sink.secret }],
      repos: ["acme/*"],
      // Short, so that a test's end does not wait for a build.
      grace: "2s",
      ...(typeof options.config === "function"
        ? await options.config({ engine, registry, second, github, sink })
        : options.config),
    };
    const deliverd = await open(startDeliverd({ env: options.env, command: options.command, config }), (one) =>
      one.remove(),
    );
    github.sendHooksTo(`${deliverd.url}/webhooks/github`, WEBHOOK_SECRET);
    const query = (repo: SampleRepo, sha: string) =>
      new URLSearchParams({ repo: `github/${repo.owner}/${repo.name}`, sha }).toString();
    const world: World = {
      engine,
      registry,
      second,
      github,
      sink,
      deliverd,
      stop,
      repo: (name, files) =>
        open(sampleRepo(github, { owner: "acme", name }), (one) => one.remove()).then(async (repo) => {
          if (files !== undefined) await repo.commit(files, "Set up");
          return repo;
        }),
      async release(repo, artifact = repo.name) {
        const sha = await repo.head();
        await repo.push();
        await github.green(repo.repo, sha);
        await world.status(repo, sha, artifact, "success");
        return sha;
      },
      async delivery(repo, sha) {
        const { items } = await deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(repo, sha)}`);
        const [first] = items;
        if (first === undefined || items.length > 1)
          throw new Error(`${items.length} deliveries of ${repo.name}@${sha}`);
        return first;
      },
      async releases(repo, sha) {
        return (await deliverd.api<{ items: ApiRelease[] }>(`/api/v1/releases?${query(repo, sha)}`)).items;
      },
      async log(repo, sha) {
        const { id } = await world.delivery(repo, sha);
        return (await deliverd.fetch(`/api/v1/deliveries/${id}/log`)).text();
      },
      notices: (repo, sha, type = "artifact.published") =>
        sink.notices.filter(({ event }) => {
          if (!String(event.type).startsWith(`dev.cdevents.${type}.`)) return false;
          const { customData } = event.data as { customData: { repo: string; sha: string } };
          return customData.sha === sha && customData.repo === `github/${repo.owner}/${repo.name}`;
        }),
      async inspect(repository, tag) {
        const login = ["--creds", `${registry.username}:${registry.password}`, "--tls-verify=false"];
        const command = ["inspect", "--config", ...login, `docker://${registry.host}/${repository}:${tag}`];
        const { stdout } = await onceWritten(() =>
          run("skopeo", command).catch((error: Error) => {
            if (/HTTP status: 500/.test(error.message)) return null;
            throw error;
          }),
        );
        return JSON.parse(stdout);
      },
      async status(repo, sha, artifact, state, timeout = 40_000) {
        const context = artifact === null ? "deliverd" : `deliverd/${artifact}`;
        try {
          return await until(
            `${context} is ${state}`,
            () => {
              const last = github.lastStatus(repo.repo, sha, context);
              return last?.state === state ? last : null;
            },
            timeout,
          );
        } catch (error) {
          const said = github
            .statusesOf(repo.repo, sha)
            .map((one) => `${one.context} ${one.state}: ${one.description}`);
          throw new Error(`${String(error)}\nstatuses: ${said.join("\n  ")}\n${deliverd.output().slice(-6_000)}`);
        }
      },
      digest: (repository, tag, from = registry) => digestOf(from, repository, tag),
      async tags(repository) {
        const answer = await fetch(`${registry.url}/v2/${repository}/tags/list`, { headers: authorization(registry) });
        const { tags } = answer.ok ? ((await answer.json()) as { tags: string[] | null }) : { tags: null };
        return (tags ?? []).filter((tag) => !tag.startsWith("sha256-")).sort();
      },
    };
    return world;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Stops the world. @throws AssertionError where deliverd sent GitHub a request that GitHub's own description forbids */
export async function stopAndCheck(world: World | undefined): Promise<void> {
  await world?.stop();
  assert.deepEqual(world?.github.violations ?? [], []);
}

/** docker-registry answers 500 where a manifest is read at the very moment at which it is given one more tag. */
function onceWritten<T>(ask: () => Promise<T | null>): Promise<T> {
  return until("the registry shows what it has", ask);
}

async function digestOf(registry: TestRegistry, repository: string, tag: string): Promise<string | null> {
  const accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
  const url = `${registry.url}/v2/${repository}/manifests/${tag}`;
  const answer = await onceWritten(async () => {
    const answer = await fetch(url, { method: "HEAD", headers: { accept, ...authorization(registry) } });
    return answer.status === 500 ? null : answer;
  });
  return answer.ok ? answer.headers.get("docker-content-digest") : null;
}

function authorization({ username, password }: TestRegistry): Record<string, string> {
  return username === "" ? {} : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}
