import { BuildSlots } from "../../../workers/build-slots.ts";
import { type PlanReading, readPlanBy } from "../../../workers/commit/read-plan.ts";
import { prepare } from "../../../workers/deliver/line.ts";
import type { Prepared } from "../../../workers/names/prepared.ts";
import { publishEverywhere } from "../../../workers/names/publish.ts";
import { didYouMean } from "../../delivery/did-you-mean.ts";
import type { Plan, Repo } from "../../delivery/types.ts";
import { openWorkingTree, type WorkingTree } from "../../git/working-tree.ts";
import { locationsOfDelivery } from "../../ledger/locations.ts";
import { type CheckoutRepo, repoOf } from "../checkout-repo.ts";
import { EXIT, Failure } from "../exit.ts";
import { offlineRules, type RuleSource, rulesOfConfig } from "../lint/rules.ts";
import { jsonText, terminalSafe } from "../terminal.ts";
import { type BuildResult, resultOf, textOf } from "./result.ts";
import { askHost, type BuildSettings, buildSettings } from "./settings.ts";
import { type OpenStation, openStation } from "./station.ts";
import { type Holders, holdersOf, workOf } from "./work.ts";

export interface BuildOptions {
  dir: string;
  /** `[<host>/]<owner>/<name>`; left out: from the checkout's remote. */
  repo?: string | undefined;
  config?: string | undefined;
  /** Only this artifact of the pipeline. */
  artifact?: string | undefined;
  publish?: boolean | undefined;
  json?: boolean | undefined;
}

/** Runs the pipeline of a working tree on this machine, as a worker does. The log goes to stderr. */
export async function build(options: BuildOptions): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Failure(EXIT.failed, "stopped"));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const tree = await openWorkingTree(options.dir, { tagsChanges: true });
  try {
    const result = await buildTree(tree, options, stop.signal);
    process.stdout.write(`${options.json ? jsonText(result) : terminalSafe(textOf(result))}\n`);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await tree.close();
  }
}

async function buildTree(tree: WorkingTree, options: BuildOptions, signal: AbortSignal): Promise<BuildResult> {
  const settings = buildSettings(options.config, process.env);
  const named = repoOf(tree, options.repo, settings.isOffline ? {} : settings.config.hosts);
  const source = settings.isOffline ? offlineRules : rulesOfConfig(settings.config, named);
  const { reading, plan } = await planFor(tree, named, source, options.artifact);
  const holders = await holdersOf(tree, plan, reading.rules.bounds);
  if (options.publish) requirePublishable(tree, settings, source, holders);
  const note = (text: string) => process.stderr.write(`Note: ${terminalSafe(text)}\n`);
  if (tree.checkout?.isDirty)
    note("files were changed since HEAD: the version ends in .dirty, and nothing of it can be published");
  const repo = await repoAtHost(settings, named, options.publish ?? false, note);
  const config = withSecrets(settings, plan);
  const open = await openStation(config, signal, (text) => process.stderr.write(text));
  try {
    return await run(open, tree, repo, plan, holders, options.publish ?? false);
  } finally {
    await open.flush();
    await open.close();
  }
}

/** @throws UserError, Refused for a pipeline with problems; Failure where there is nothing to build */
async function planFor(
  tree: WorkingTree,
  repo: CheckoutRepo,
  source: RuleSource,
  artifact: string | undefined,
): Promise<{ reading: PlanReading; plan: Plan }> {
  const reading = await readPlanBy(source.rulesFor, { repo, mirror: tree.mirror, sha: tree.sha });
  const { read } = reading;
  switch (read.kind) {
    case "bad":
      throw read.error;
    case "nothing":
      throw new Failure(EXIT.failed, `there is ${read.because}. Write one with \`deliverd init\`.`);
    case "plan": {
      if (artifact === undefined) return { reading, plan: read.plan };
      const names = read.plan.artifacts.map(({ name }) => name);
      const artifacts = read.plan.artifacts.filter(({ name }) => name === artifact);
      if (artifacts.length > 0) return { reading, plan: { ...read.plan, artifacts } };
      const hint = didYouMean(artifact, names);
      throw new Failure(EXIT.usage, `the pipeline has no artifact "${artifact}"${hint}; it has ${names.join(", ")}`);
    }
  }
}

/** @throws Failure for what the server would not publish either */
function requirePublishable(
  { checkout }: WorkingTree,
  { isOffline }: BuildSettings,
  { notDelivered }: RuleSource,
  { watched, because }: Holders,
): void {
  const refuse = (why: string): never => {
    throw new Failure(EXIT.usage, `--publish: ${why}`);
  };
  if (isOffline) refuse("there are no registries. Name the server's configuration with --config.");
  if (notDelivered !== null) refuse(`${notDelivered}, so the server does not deliver it.`);
  if (checkout === null || checkout.head === null) refuse("nothing is committed, so there is no version.");
  if (checkout?.isDirty)
    refuse("files were changed since HEAD, and only commits are published. Commit them, or stash them.");
  if (checkout?.shallow) refuse("the clone is shallow, so the version cannot be counted: run git fetch --unshallow.");
  if (watched.length === 0)
    refuse(`the server would not deliver this commit: ${because.join("; ") || "no ref has it"}.`);
}

/** The repo as its host knows it. Without the host's id of it, an image has another label than the server gives it. */
async function repoAtHost(
  { config, isOffline }: BuildSettings,
  repo: CheckoutRepo,
  publish: boolean,
  note: (text: string) => void,
): Promise<Repo> {
  const { from: _, ...own } = repo;
  const known = isOffline
    ? { kind: "unknown" as const, because: "no server is configured" }
    : await askHost(config, repo);
  if (known.kind === "known") return known.repo;
  if (publish)
    throw new Failure(EXIT.failed, `--publish: the host has to say which repo this is, but ${known.because}`);
  note(`an image gets another label dev.deliverd.delivery than on the server, so another digest: ${known.because}`);
  return own;
}

/** Without a server, builds read their secrets from the environment. @throws Failure for one that is not set */
function withSecrets({ config, isOffline }: BuildSettings, plan: Plan): BuildSettings["config"] {
  if (!isOffline) return config;
  const names = new Set(plan.artifacts.flatMap(({ build: commands }) => commands?.secrets ?? []));
  const secrets = Object.fromEntries(
    [...names].map((name) => {
      const value = process.env[name];
      if (value) return [name, value];
      throw new Failure(EXIT.usage, `build.secrets asks for ${name}: set it in the environment, or use --config.`);
    }),
  );
  return { ...config, repos: config.repos.map((entry) => ({ ...entry, secrets })) };
}

async function run(
  { station, run: each }: OpenStation,
  tree: WorkingTree,
  repo: Repo,
  plan: Plan,
  { watched }: Holders,
  publish: boolean,
): Promise<BuildResult> {
  const branch = tree.checkout?.branch;
  const refs = watched.length > 0 || !branch ? watched : [`refs/heads/${branch}`];
  const work = await workOf(station, tree, repo, plan, refs);
  const made = await prepare(station, work, each, {
    claims: true,
    capacity: new BuildSlots(station.config.workers.slots),
  });
  // Its ledger is new, so nothing can be unchanged since an earlier release.
  const prepared = made.filter((one): one is Prepared => one.kind === "prepared");
  if (publish) for (const one of prepared) await publishEverywhere(station, work, one, async () => {}, each);
  const locations = await locationsOfDelivery(station.ledger, work.delivery.id);
  return resultOf(station, work, prepared, { repo, isDirty: tree.checkout?.isDirty ?? true, locations });
}
