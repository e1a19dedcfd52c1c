import { type Deliverd, type DeliverdOptions, startDeliverd } from "./deliverd.ts";
import { type Engine, startEngine } from "./engine.ts";
import { type GitHubStandIn, startGitHub } from "./github.ts";
import { type NoticeSink, startNoticeSink } from "./notice-sink.ts";
import { until } from "./process.ts";
import { startRegistry, type TestRegistry } from "./registry.ts";
import type { SampleRepo } from "./sample-repo.ts";

export const WEBHOOK_SECRET = "webhook-canary-secret";

/** Everything around a deliverd: an engine, registries, GitHub, somebody who waits for notices; and the deliverd itself. */
export interface World {
  engine: Engine;
  registry: TestRegistry;
  second: TestRegistry;
  github: GitHubStandIn;
  sink: NoticeSink;
  deliverd: Deliverd;
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
  tags(repository: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startWorld(
  options: {
    config?: Record<string, unknown>;
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
    const github = await open(startGitHub(), (one) => one.close());
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
      ...options.config,
    };
    const deliverd = await open(startDeliverd({ env: options.env, command: options.command, config }), (one) => one.remove());
    github.sendHooksTo(`${deliverd.url}/webhooks/github`, WEBHOOK_SECRET);
    return {
      engine,
      registry,
      second,
      github,
      sink,
      deliverd,
      stop,
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
        return answer.ok ? (((await answer.json()) as { tags: string[] | null }).tags ?? []).sort() : [];
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function digestOf(registry: TestRegistry, repository: string, tag: string): Promise<string | null> {
  const accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, {
    method: "HEAD",
    headers: { accept, ...authorization(registry) },
  });
  return answer.ok ? answer.headers.get("docker-content-digest") : null;
}

function authorization({ username, password }: TestRegistry): Record<string, string> {
  return username === "" ? {} : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}
