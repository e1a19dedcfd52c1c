import { readFileSync } from "node:fs";
import { whyUnreadable } from "./unreadable.ts";
import type { Path } from "./yaml.ts";

export type Environment = Record<string, string | undefined>;

/** Tells what is wrong with the variable of this name. */
export type Fail = (variable: string, text: string) => void;

/** The variables that configure a server without a file, and the key each of them stands for. */
const VARIABLES: readonly [name: string, path: Path][] = [
  ["GITHUB_TOKEN", ["hosts", "github", "token"]],
  ["GITHUB_APP_ID", ["hosts", "github", "app", "id"]],
  ["GITHUB_APP_PRIVATE_KEY", ["hosts", "github", "app", "privateKey"]],
  ["GITHUB_WEBHOOK_SECRET", ["hosts", "github", "webhookSecret"]],
  ["GITHUB_API_URL", ["hosts", "github", "apiUrl"]],
  ["GITHUB_CLONE_URL", ["hosts", "github", "cloneUrl"]],
  ["DELIVERD_REGISTRY", ["registries", "default", "url"]],
  ["DELIVERD_REGISTRY_PUBLIC_URL", ["registries", "default", "publicUrl"]],
  ["DELIVERD_REGISTRY_USERNAME", ["registries", "default", "username"]],
  ["DELIVERD_REGISTRY_PASSWORD", ["registries", "default", "password"]],
  ["DELIVERD_REPOS", ["repos"]],
  ["DELIVERD_DATA_DIR", ["dataDir"]],
  ["DELIVERD_PUBLIC_URL", ["publicUrl"]],
  ["DELIVERD_TRUST_PROXY", ["trustProxy"]],
  ["DELIVERD_ADMIN_TOKEN", ["adminToken"]],
  ["DELIVERD_REDIS_URL", ["redisUrl"]],
  ["DELIVERD_DATABASE_URL", ["databaseUrl"]],
  ["DELIVERD_INTAKE_LISTEN", ["docker", "intake", "listen"]],
  ["DELIVERD_INTAKE_ADVERTISE", ["docker", "intake", "advertise"]],
  ["PORT", ["port"]],
];

/** Where a process runs. The container image and the Compose file set these, and they go before a file. */
export function placeFromEnvironment(env: Environment) {
  return {
    port: given(env, "PORT"),
    dataDir: given(env, "DELIVERD_DATA_DIR"),
    intake: { listen: given(env, "DELIVERD_INTAKE_LISTEN"), advertise: given(env, "DELIVERD_INTAKE_ADVERTISE") },
  };
}

/** What holds for keys that a file leaves out. */
export function defaultsFromEnvironment(env: Environment, fail: Fail) {
  return {
    redisUrl: secretFrom(env, "DELIVERD_REDIS_URL", fail),
    databaseUrl: secretFrom(env, "DELIVERD_DATABASE_URL", fail),
    publicUrl: given(env, "DELIVERD_PUBLIC_URL"),
    trustProxy: trustProxyFrom(given(env, "DELIVERD_TRUST_PROXY")),
    // The commands of a container's own environment sign in with it, so the server must not have another one.
    adminToken: secretFrom(env, "DELIVERD_ADMIN_TOKEN", fail),
  };
}

/** A number of proxies, or a list with commas. */
function trustProxyFrom(text: string | undefined): string | string[] | undefined {
  return text === undefined || /^\d+$/.test(text) ? text : listOf(text);
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

/** The same data that a file would hold: one GitHub host `github`, and one registry `default` where one is named. */
export function fromEnvironment(env: Environment, fail: Fail): unknown {
  const { intake, ...place } = placeFromEnvironment(env);
  const registry = {
    url: given(env, "DELIVERD_REGISTRY"),
    username: given(env, "DELIVERD_REGISTRY_USERNAME"),
    password: secretFrom(env, "DELIVERD_REGISTRY_PASSWORD", fail),
  };
  const repos = given(env, "DELIVERD_REPOS");
  const app = { id: given(env, "GITHUB_APP_ID"), privateKey: secretFrom(env, "GITHUB_APP_PRIVATE_KEY", fail) };
  // It stands for nothing alone: the Compose file always gives it.
  const publicUrl = given(env, "DELIVERD_REGISTRY_PUBLIC_URL");
  return {
    ...place,
    ...defaultsFromEnvironment(env, fail),
    docker: isGiven(intake) ? { intake } : {},
    hosts: {
      github: {
        type: "github",
        apiUrl: given(env, "GITHUB_API_URL"),
        cloneUrl: given(env, "GITHUB_CLONE_URL"),
        webhookSecret: secretFrom(env, "GITHUB_WEBHOOK_SECRET", fail),
        token: secretFrom(env, "GITHUB_TOKEN", fail),
        app: isGiven(app) ? app : undefined,
      },
    },
    registries: isGiven(registry) ? { default: { type: "oci", ...registry, publicUrl, default: true } } : {},
    repos: repos === undefined ? undefined : listOf(repos),
  };
}

/** The variable that a key comes from, for messages. */
export function variableOf(key: string): string {
  const name = VARIABLES.find(([, path]) => key === path.join(".") || key.startsWith(`${path.join(".")}[`))?.[0];
  return name ?? key;
}

/**
 * The value of a variable that may hold a secret. Where `NAME` is not set, the text of the file that `NAME_FILE` names,
 * as Docker and Kubernetes mount secrets.
 */
export function secretFrom(env: Environment, name: string, fail: Fail): string | undefined {
  const value = given(env, name);
  if (value !== undefined) return value;
  const file = given(env, `${name}_FILE`);
  if (file === undefined) return undefined;
  const read = readSecretFile(file);
  if ("value" in read) return read.value;
  fail(`${name}_FILE`, read.missing);
  return undefined;
}

/** The text of a file, without the line end at its end. */
export function readSecretFile(file: string): { value: string } | { missing: string } {
  try {
    return { value: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return {
      missing: `the file ${file} cannot be read ${whyUnreadable(file, error)}; expected a file that holds the value`,
    };
  }
}

/** Compose files pass on what is not set as an empty text. */
function given(env: Environment, name: string): string | undefined {
  return env[name] === "" ? undefined : env[name];
}

function isGiven(values: Record<string, string | undefined>): boolean {
  return Object.values(values).some((value) => value !== undefined);
}
