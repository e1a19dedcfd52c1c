import { PIPELINE_FILE, type PlanReading, readPlanBy } from "../../../workers/commit/read-plan.ts";
import { loadServerConfig } from "../../config/server.ts";
import { UserError } from "../../delivery/errors.ts";
import { openWorkingTree, type WorkingTree } from "../../git/working-tree.ts";
import { type CheckoutRepo, repoOf } from "../checkout-repo.ts";
import { clientOptions } from "../client-options.ts";
import { EXIT } from "../exit.ts";
import { jsonText, terminalSafe } from "../terminal.ts";
import { findFileProblems } from "./files.ts";
import type { Finding } from "./finding.ts";
import { type Preview, previewOf } from "./names.ts";
import { type LintReport, textOf } from "./report.ts";
import { offlineRules, type RuleSource, rulesOfConfig, rulesOfServer } from "./rules.ts";

export interface LintOptions {
  dir: string;
  /** `[<host>/]<owner>/<name>`; left out: from the checkout's remote. */
  repo?: string | undefined;
  /** The server's configuration file. */
  config?: string | undefined;
  /** The server to ask for its rules; true: the one that client commands ask. */
  server?: string | true | undefined;
  json?: boolean | undefined;
}

/** Checks the pipeline of a working tree, and prints what is wrong and what HEAD would give. */
export async function lint(options: LintOptions): Promise<void> {
  const tree = await openWorkingTree(options.dir);
  try {
    const report = await reportOn(tree, options);
    process.stdout.write(`${options.json ? jsonText(report) : terminalSafe(textOf(report))}\n`);
    if (report.problems.length > 0) process.exitCode = EXIT.failed;
  } finally {
    await tree.close();
  }
}

async function reportOn(tree: WorkingTree, options: LintOptions): Promise<LintReport> {
  const { repo, source } = await rulesFor(tree, options);
  const name = `${repo.host}/${repo.owner}/${repo.name}`;
  const notes = notesOn(tree, repo, source);
  try {
    const reading = await readPlanBy(source.rulesFor, { repo, mirror: tree.mirror, sha: tree.sha });
    return await reportOnPlan(tree, repo, name, source, reading, notes);
  } catch (error) {
    // The file is a symbolic link, or far too large.
    if (!(error instanceof UserError)) throw error;
    const problem = wholeFile(error.message.replace(` at ${tree.sha}`, ""));
    return { repo: name, file: PIPELINE_FILE, problems: [problem], preview: null, notes };
  }
}

async function reportOnPlan(
  tree: WorkingTree,
  repo: CheckoutRepo,
  name: string,
  source: RuleSource,
  reading: PlanReading,
  notes: string[],
): Promise<LintReport> {
  const { read } = reading;
  const problems: Finding[] = source.notDelivered === null ? [] : [wholeFile(source.notDelivered)];
  if (read.kind === "nothing") problems.push(wholeFile(`there is ${read.because}. Write one with \`deliverd init\`.`));
  if (read.kind === "bad") problems.push(...read.problems.map((problem) => ({ file: PIPELINE_FILE, ...problem })));
  problems.push(...(await findFileProblems(tree, reading)));
  const head = tree.checkout?.head ?? null;
  let preview: Preview | null = null;
  if (read.kind === "plan" && head !== null) {
    const found = await previewOf(tree.mirror, repo, head, read.plan, reading);
    preview = found.preview;
    problems.push(...found.findings);
  }
  const isDefault = read.kind === "plan" && read.plan.isDefault;
  return { repo: name, file: isDefault ? null : PIPELINE_FILE, problems: sorted(problems), preview, notes };
}

function wholeFile(text: string): Finding {
  return { file: PIPELINE_FILE, line: null, key: "", text };
}

/** The pipeline file first, then the files that it names. */
function sorted(problems: Finding[]): Finding[] {
  const order = ({ file, line }: Finding): [string, number] => [file === PIPELINE_FILE ? "" : file, line ?? 0];
  return problems.toSorted((a, b) => {
    const [[fileA, lineA], [fileB, lineB]] = [order(a), order(b)];
    return fileA === fileB ? lineA - lineB : fileA < fileB ? -1 : 1;
  });
}

/** The repo of the checkout, and what its pipeline is held to. */
async function rulesFor(
  tree: WorkingTree,
  { repo: named, config: path, server }: LintOptions,
): Promise<{ repo: CheckoutRepo; source: RuleSource }> {
  if (server !== undefined) {
    const repo = repoOf(tree, named, {});
    const address = await clientOptions({ server: server === true ? undefined : server }, process.env);
    return { repo, source: await rulesOfServer(address, repo, named) };
  }
  if (path === undefined) return { repo: repoOf(tree, named, {}), source: offlineRules };
  const config = loadServerConfig({ path, env: process.env });
  const repo = repoOf(tree, named, config.hosts);
  return { repo, source: rulesOfConfig(config, repo) };
}

function notesOn({ checkout }: WorkingTree, repo: CheckoutRepo, source: RuleSource): string[] {
  const notes: string[] = [];
  if (source.isOffline)
    notes.push("Registries and the rules of `repos` were not checked: name a server with --config or --server.");
  if (source.hidesSecrets)
    notes.push(
      "The names of secrets were not checked: the server shows them only to the token of an operator (DELIVERD_TOKEN).",
    );
  if (repo.from === "folder")
    notes.push(`No remote says what the repo is called: ${repo.owner}/${repo.name} was taken. Name it with --repo.`);
  if (checkout === null)
    notes.push("The folder is in no git checkout, so there is no version, and there are no names.");
  else if (checkout.head === null)
    notes.push("Nothing is committed yet, so there is no version, and there are no names.");
  else if (checkout.isDirty)
    notes.push("Files were changed since HEAD: they were checked, but version and names are those of HEAD.");
  if (checkout?.shallow) notes.push("The clone is shallow: the version counts only the commits that it has.");
  return notes;
}
