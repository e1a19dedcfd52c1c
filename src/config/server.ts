import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../delivery/errors.ts";
import { fromEnvironment, placeFromEnvironment, variableOf } from "./environment.ts";
import { describe, plainly, problemsOf } from "./problems.ts";
import { builtInTypes, type ServerFile, type ServerTypes, serverSchema, serverSchemaOf } from "./server-schema.ts";
import { type Environment, substitute } from "./substitute.ts";
import { type Problem, readYaml } from "./yaml.ts";

/**
 * The whole configuration, every default filled in. Durations are in ms, sizes in bytes, URLs without a slash at their
 * end; null is what was left out and has no default.
 */
export type ServerConfig = Omit<ServerFile, "publicUrl"> & { publicUrl: string };

const MAX_SERVER_BYTES = 1024 * 1024;

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
  const found: (string | null)[] = [config.adminToken];
  for (const host of Object.values(config.hosts)) found.push(...types.hosts.secretsOf(host));
  for (const registry of Object.values(config.registries)) found.push(...types.registries.secretsOf(registry));
  for (const notice of config.notices) found.push(...types.notices.secretsOf(notice));
  for (const repo of config.repos) found.push(...Object.values(repo.secrets));
  for (const url of [config.redisUrl, config.databaseUrl]) {
    const password = url === null ? "" : new URL(url).password;
    found.push(password, decoded(password));
  }
  return [...new Set(found)].filter((value): value is string => value !== null && value !== "");
}

function readFile(path: string, env: Environment, types: ServerTypes): ServerFile {
  const file = readYaml(read(path), MAX_SERVER_BYTES);
  const problems = [...file.problems];
  if (problems.length === 0) {
    const data = substitute(file.data, env, (at, text) =>
      problems.push({ line: file.lineOf(at), key: at.map(String).join("."), text }),
    );
    const schema = types === builtInTypes ? serverSchema : serverSchemaOf(types);
    const result = schema.safeParse(atPlace(data, env), { error: plainly });
    if (result.success && problems.length === 0) return result.data;
    const missing = new Set(problems.map((problem) => problem.key));
    // A value that could not be had is told once, not also as a value of the wrong form.
    const others = result.success
      ? []
      : problemsOf(result.error, atPlace(file.data, env), file, secretKeysOf(types)).filter(
          ({ key }) => !missing.has(key),
        );
    problems.push(...others);
  }
  throw badConfig(path, problems);
}

/** What the types themselves call a secret. */
function secretKeysOf({ hosts, registries, notices }: ServerTypes): string[] {
  return [...hosts.all, ...registries.all, ...notices.all].flatMap(({ secrets }) => secrets);
}

function atPlace(data: unknown, env: Environment): unknown {
  if (!isMap(data)) return data;
  const place = placeFromEnvironment(env);
  const docker = data.docker === undefined || isMap(data.docker) ? { ...place.docker, ...data.docker } : data.docker;
  return { ...place, ...data, docker };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readEnvironment(env: Environment): ServerFile {
  const data = fromEnvironment(env);
  const result = serverSchema.safeParse(data, { error: plainly });
  if (result.success) return result.data;
  const problems = problemsOf(result.error, data, { lineOf: () => null }, secretKeysOf(builtInTypes));
  throw badConfig(
    "environment",
    problems.map((problem) => ({ ...problem, key: variableOf(problem.key) })),
    "\nSet these variables, or name a configuration file with --config or DELIVERD_CONFIG.",
  );
}

function badConfig(file: string, problems: Problem[], remedy = ""): ConfigError {
  return new ConfigError("bad-config", describe(file, problems) + remedy);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new ConfigError(
      "config-unreadable",
      `${path}: the configuration file cannot be read (${reason}); ` +
        "expected a readable YAML file at that path, which --config or DELIVERD_CONFIG gives",
      { cause: error },
    );
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
