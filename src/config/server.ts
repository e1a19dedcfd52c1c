import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../delivery/errors.ts";
import { crossProblems } from "./cross-checks.ts";
import { type Environment, fromEnvironment, variableOf } from "./environment.ts";
import { atPlace, isSaidByPlace } from "./place.ts";
import { describe, plainly, problemsOf } from "./problems.ts";
import { builtInTypes, type ServerFile, type ServerTypes, serverSchema, serverSchemaOf } from "./server-schema.ts";
import { substitute } from "./substitute.ts";
import { whyUnreadable } from "./unreadable.ts";
import { passwordsOf } from "./url-secrets.ts";
import { type Problem, readYaml } from "./yaml.ts";

/**
 * The whole configuration, every default filled in. Durations are in ms, sizes in bytes, URLs without a slash at their
 * end; null is what was left out and has no default.
 */
export type ServerConfig = Omit<ServerFile, "publicUrl"> & { publicUrl: string };

export const MAX_SERVER_BYTES = 1024 * 1024;

/**
 * Reads the file at `path` or `DELIVERD_CONFIG`; with neither, the environment alone.
 * @throws ConfigError `bad-config`, with each problem on a line: `<file>:<line>: <key>: <found>; expected <what>`
 */
export function loadServerConfig(options: {
  path?: string | undefined;
  env: Environment;
  /** Left out: the types that deliverd has. */
  types?: ServerTypes | undefined;
}): ServerConfig {
  const path = options.path ?? (options.env.DELIVERD_CONFIG || undefined);
  const file =
    path === undefined ? readEnvironment(options.env) : readFile(path, options.env, options.types ?? builtInTypes);
  return {
    ...file,
    publicUrl: file.publicUrl ?? `http://localhost:${file.port}`,
    dataDir: resolve(file.dataDir),
  };
}

/** Every secret of the configuration, to be masked in logs, messages and answers. */
export function secretsOf(config: ServerConfig, types = builtInTypes): string[] {
  const found: (string | null)[] = [
    ...[config.adminToken, config.docker.tls?.key ?? null],
    ...[config.proof.key, config.proof.previousKey],
  ];
  for (const host of Object.values(config.hosts)) found.push(...types.hosts.secretsOf(host));
  for (const registry of Object.values(config.registries)) found.push(...types.registries.secretsOf(registry));
  for (const notice of config.notices) found.push(...types.notices.secretsOf(notice));
  for (const repo of config.repos) found.push(...Object.values(repo.secrets));
  for (const url of [config.redisUrl, config.databaseUrl]) found.push(...passwordsOf(url));
  return [...new Set(found)].filter((value): value is string => value !== null && value !== "");
}

function readFile(path: string, env: Environment, types: ServerTypes): ServerFile {
  const file = readYaml(readConfigText(path), MAX_SERVER_BYTES);
  const problems = [...file.problems];
  if (problems.length === 0) {
    const substituted = substitute(file.data, env, (at, text) =>
      problems.push({ line: file.lineOf(at), key: at.map(String).join("."), text }),
    );
    const inEnvironment = (variable: string, text: string) =>
      problems.push({ line: null, key: `environment variable ${variable}`, text });
    const data = atPlace(substituted, env, inEnvironment);
    const schema = types === builtInTypes ? serverSchema : serverSchemaOf(types);
    const result = schema.safeParse(data, { error: plainly });
    const written = atPlace(file.data, env, () => {});
    const across = crossProblems(data);
    if (result.success && problems.length === 0 && across.issues.length === 0) return result.data;
    const missing = new Set(problems.map((problem) => problem.key));
    const others = [...(result.success ? [] : [result.error]), across].flatMap((error) =>
      problemsOf(error, written, file, secretKeysOf(types)),
    );
    // A value that could not be had is told once, not also as a value of the wrong form.
    problems.push(
      ...distinct(others)
        .filter(({ key }) => !missing.has(key))
        .map((problem) => (isSaidByPlace(problem.key, env) ? ofEnvironment(problem) : problem)),
    );
  }
  throw badConfig(path, problems);
}

/** The file may have the same key: its line would be the wrong place to look at. */
function ofEnvironment({ key, text }: Problem): Problem {
  return { line: null, key: `environment variable ${variableOf(key)}`, text };
}

/** Each key once: the first problem of a key is the one that matters. */
function distinct(problems: Problem[]): Problem[] {
  return problems.filter(({ key }, index) => problems.findIndex((other) => other.key === key) === index);
}

/** What the types themselves call a secret. */
function secretKeysOf({ hosts, registries, notices }: ServerTypes): string[] {
  // Notices have a secret under `url`, which is none elsewhere: problems.ts knows it by its place.
  const urls = [...hosts.all, ...registries.all].flatMap(({ secretUrls = [] }) => secretUrls);
  return [...[...hosts.all, ...registries.all, ...notices.all].flatMap(({ secrets }) => secrets), ...urls];
}

function readEnvironment(env: Environment): ServerFile {
  const unreadable: Problem[] = [];
  const data = fromEnvironment(env, (key, text) => unreadable.push({ line: null, key, text }));
  const result = serverSchema.safeParse(data, { error: plainly });
  if (result.success && unreadable.length === 0) return result.data;
  const told = new Set(unreadable.map(({ key }) => key.replace(/_FILE$/, "")));
  const others = result.success
    ? []
    : problemsOf(result.error, data, { lineOf: () => null }, secretKeysOf(builtInTypes));
  throw badConfig(
    "environment",
    [
      ...unreadable,
      ...others
        .map((problem) => ({ ...problem, key: variableOf(problem.key) }))
        // A secret whose file cannot be read is told once, not also as left out.
        .filter(({ key }) => !told.has(key)),
    ],
    "\nSet these variables, or name a configuration file with --config or DELIVERD_CONFIG.",
  );
}

function badConfig(file: string, problems: Problem[], remedy = ""): ConfigError {
  return new ConfigError("bad-config", describe(file, problems) + remedy);
}

/** @throws ConfigError `config-unreadable` */
export function readConfigText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(
      "config-unreadable",
      `${path}: the configuration file cannot be read ${whyUnreadable(path, error)}; ` +
        "expected a readable YAML file at that path, which --config or DELIVERD_CONFIG gives",
      { cause: error },
    );
  }
}
