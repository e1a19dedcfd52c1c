// `npm run demo`: one commit from `git push` to a running container, with a real engine, registry, Redis and git, and
// a stand-in for GitHub. `-- --keep` leaves everything running until Ctrl-C.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import type { DeliveryView } from "../src/api/views.ts";
import type { Release } from "../src/delivery/types.ts";
import { until } from "../test/support/process.ts";
import { follow } from "./demo/follow.ts";
import { pullAndRun } from "./demo/run-image.ts";
import { nothingStarted, type Surroundings, surround } from "./demo/surroundings.ts";
import { createTeller, type Teller } from "./demo/teller.ts";

const PIPELINE = `version: 1
ci: { required: [test] }
artifacts:
  - name: hello
    kind: image
    publish:
      - { to: local, as: acme/hello, tags: ["{version}", "{branch}", "sha-{shortSha}"] }
`;

const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
ARG DELIVERD_VERSION
ENV VERSION=$DELIVERD_VERSION
RUN ["/bin/busybox", "sh", "-c", "echo Building hello $VERSION"]
CMD ["/bin/busybox", "sh", "-c", "echo Hello from acme/hello $VERSION"]
`;

async function main(): Promise<number> {
  const { keep } = parseArgs({ options: { keep: { type: "boolean", default: false } } }).values;
  const tell = createTeller();
  const interrupted = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => interrupted.abort(new Error(`stopped by ${signal}`));
  // All that was started must end with us, whichever way we are told to go.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);

  const started = nothingStarted(interrupted.signal);
  let surroundings: Surroundings | null = null;
  let code = 0;
  try {
    tell.title("deliverd: one commit, from git push to a running container");
    surroundings = await surround(started, tell);
    await deliverOneCommit(surroundings, tell, interrupted.signal);
    if (keep) await stayUntil(interrupted.signal, surroundings, tell);
  } catch (error) {
    code = interrupted.signal.aborted ? 130 : 1;
    explain(error, surroundings, tell, interrupted.signal);
  }
  const failures = await started.end();
  for (const failure of failures) tell.failed(`not cleaned up: ${String(failure)}`);
  if (code === 0 && failures.length === 0) tell.done("Done. Everything that was started has ended.");
  return failures.length > 0 ? 1 : code;
}

/** The story itself: every step is what a user of deliverd would do or see. */
async function deliverOneCommit(around: Surroundings, tell: Teller, signal: AbortSignal): Promise<void> {
  const { github, repo, deliverd, sink, engine } = around;
  const patiently = async <T>(what: string, ask: () => Promise<T | null | undefined> | T | null | undefined) => {
    const answer = await until(what, async () => (signal.aborted ? "stopped" : await ask()), 60_000);
    signal.throwIfAborted();
    return answer as T;
  };

  tell.step("git push", "acme/hello, branch main, one commit after the tag v1.2.3");
  await repo.tag("v1.2.3");
  await repo.git("push", "--quiet", repo.repo.directory, "v1.2.3");
  const sha = await repo.commit({ ".deliverd.yml": PIPELINE, Dockerfile: DOCKERFILE }, "Say hello");
  for (const hook of await repo.push()) tell.fact(`webhook ${hook.event}`, answerOf(hook));

  const delivery = await patiently("the commit has a delivery that waits for CI", async () => {
    const { items } = await deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?sha=${sha}`);
    return items.find((each) => each.state === "waiting");
  });
  tell.step("waiting", delivery.because);
  tell.fact("page", `${deliverd.url}/deliveries/${delivery.id}`);

  const events = await follow(deliverd, delivery.id, signal);
  tell.step("CI is green", `check run "test" of commit ${sha.slice(0, 7)}`);
  for (const hook of await github.green(repo, sha, { check: "test" }))
    tell.fact(`webhook ${hook.event}`, answerOf(hook));

  let last = { state: "waiting", because: "" };
  for await (const { event, data } of events) {
    if (event === "log") tell.quote(data);
    if (event !== "state") continue;
    last = JSON.parse(data) as typeof last;
    if (last.state !== "waiting") tell.step(last.state, last.because);
  }
  assert.equal(last.state, "delivered", `the delivery ended as ${last.state}: ${last.because}`);

  const release = await patiently("the release stands under all its names", async () => {
    const { items } = await deliverd.api<{ items: Release[] }>(`/api/v1/releases?sha=${sha}`);
    return items.find((each) => each.locations.length === 3);
  });
  tell.step("release", `${release.artifact} ${release.version}`);
  tell.fact("digest", release.digest);
  for (const location of release.locations) tell.fact(location.registry, location.name);

  const reference = release.locations[0]?.pull.split(" ").at(-1) ?? "";
  tell.step("docker pull, run", reference);
  const printed = await pullAndRun(engine.docker, reference, signal);
  tell.quote(printed);
  assert.equal(printed, `Hello from acme/hello ${release.version}\n`, "the container printed something else");

  const status = await patiently("the commit bears the status success", () => {
    const said = github.lastStatus(repo, sha, "deliverd/hello");
    return said?.state === "success" ? said : null;
  });
  tell.step("commit status", `${status.context} ${status.state}: ${status.description}`);

  const notice = await patiently("the deployer has got a notice", () => sink.notices[0]);
  tell.step("notice", `${notice.event.type}, signed, id ${notice.id}`);
  const { repo: from, digest, versions } = (notice.event.data as { customData: Release }).customData;
  tell.quote(JSON.stringify({ repo: from, versions, digest }, null, 2));
  assert.deepEqual([...github.violations, ...sink.refused], [], "somebody was spoken to in the wrong way");
}

async function stayUntil(signal: AbortSignal, { deliverd, github, registry, repo }: Surroundings, tell: Teller) {
  tell.step("Kept running", "until Ctrl-C");
  tell.fact("dashboard", `${deliverd.url}/  (sign in with the admin token: ${deliverd.adminToken})`);
  tell.fact("configuration", `${deliverd.configFile}  (the admin token stands in it as adminToken)`);
  tell.fact(
    "command line",
    `DELIVERD_SERVER=${deliverd.url} DELIVERD_TOKEN=${deliverd.adminToken} node dist/src/cli/index.js releases`,
  );
  tell.fact("registry", `${registry.url}/v2/${repo.owner}/${repo.name}/tags/list`);
  tell.fact("git", `${github.cloneUrl}/${repo.owner}/${repo.name}.git`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function answerOf({ answer }: { answer: { status: number } | null }): string {
  assert.equal(answer?.status, 202, `deliverd answered a webhook with ${answer?.status}`);
  return "202";
}

function explain(error: unknown, around: Surroundings | null, tell: Teller, signal: AbortSignal): void {
  if (signal.aborted) {
    tell.failed(`${String((signal.reason as Error).message)} at "${tell.current()}"; ending what was started`);
    return;
  }
  tell.failed(`"${tell.current()}" failed: ${error instanceof Error ? error.message : String(error)}`);
  const output = around?.deliverd.output().trim().split("\n").slice(-20).join("\n");
  if (output) tell.quote(`deliverd's last words:\n${output}`);
}

process.exitCode = await main();
