// `npm run demo`: one commit from `git push` to a running container, with a real engine, registry, Redis and git, and
// a stand-in for GitHub. `-- --host gitlab`: for another git host. `-- --all`: artifacts of every kind into a registry of
// every type, and back. `-- --keep` leaves everything running until Ctrl-C, and delivers what is pushed meanwhile.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { products } from "../test/support/hosts/products.ts";
import { keep } from "./demo/keep.ts";
import type { Scene, Story } from "./demo/scene.ts";
import { nothingStarted, type Surroundings } from "./demo/surroundings.ts";
import { createTeller, type Teller } from "./demo/teller.ts";

const flag = { type: "boolean", default: false } as const;

async function main(): Promise<number> {
  const options = parseArgs({ options: { all: flag, keep: flag, host: { type: "string", default: "github" } } }).values;
  const product = products.find(({ key }) => key === options.host);
  if (product === undefined) {
    process.stderr.write(`npm run demo -- [--host ${products.map(({ key }) => key).join("|")}] [--all] [--keep]\n`);
    return 2;
  }
  const tell = createTeller();
  const interrupted = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => interrupted.abort(new Error(`stopped by ${signal}`));
  // All that was started must end with us, whichever way we are told to go.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);

  if (options.all && !setUp("demo-all")) return 1;
  const started = nothingStarted(interrupted.signal);
  let scene: Scene | null = null;
  let code = 0;
  try {
    const story: Story = options.all ? await import("./demo/all/story.ts") : await import("./demo/one-image.ts");
    tell.title(story.title);
    scene = await story.begin(started, tell, product);
    await scene.play(interrupted.signal);
    const { host, sink } = scene.around;
    assert.deepEqual([...host.violations(), ...sink.refused], [], "somebody was spoken to in the wrong way");
    if (options.keep) await keep(scene, tell, interrupted.signal);
  } catch (error) {
    code = interrupted.signal.aborted ? 130 : 1;
    explain(error, scene?.around ?? null, tell, interrupted.signal);
  }
  const failures = await started.end();
  for (const failure of failures) tell.failed(`not cleaned up: ${String(failure)}`);
  if (code === 0 && failures.length === 0) tell.done("Done. Everything that was started has ended.");
  return failures.length > 0 ? 1 : code;
}

/** What `npm run demo` alone does not need. */
function setUp(caller: string): boolean {
  const script = fileURLToPath(new URL("setup.mjs", import.meta.url));
  return spawnSync(process.execPath, [script, caller], { stdio: "inherit" }).status === 0;
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
