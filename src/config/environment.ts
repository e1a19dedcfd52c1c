import type { Environment } from "./substitute.ts";
import type { Path } from "./yaml.ts";

/** The variables that configure a server without a file, and the key each of them stands for. */
const VARIABLES: readonly [name: string, path: Path][] = [
  ["GITHUB_TOKEN", ["hosts", "github", "token"]],
  ["GITHUB_WEBHOOK_SECRET", ["hosts", "github", "webhookSecret"]],
  ["GITHUB_API_URL", ["hosts", "github", "apiUrl"]],
  ["GITHUB_CLONE_URL", ["hosts", "github", "cloneUrl"]],
  ["DELIVERD_REGISTRY", ["registries", "default", "url"]],
  ["DELIVERD_REGISTRY_USERNAME", ["registries", "default", "username"]],
  ["DELIVERD_REGISTRY_PASSWORD", ["registries", "default", "password"]],
  ["DELIVERD_REPOS", ["repos"]],
  ["DELIVERD_DATA_DIR", ["dataDir"]],
  ["DELIVERD_PUBLIC_URL", ["publicUrl"]],
  ["DELIVERD_ADMIN_TOKEN", ["adminToken"]],
  ["DELIVERD_REDIS_URL", ["redisUrl"]],
  ["DELIVERD_DATABASE_URL", ["databaseUrl"]],
  ["DELIVERD_INTAKE_LISTEN", ["docker", "intake", "listen"]],
  ["DELIVERD_INTAKE_ADVERTISE", ["docker", "intake", "advertise"]],
  ["PORT", ["port"]],
];

/**
 * What belongs to the place a server runs at rather than to what it does: the container image and the Compose file set
 * these, and a file that leaves them out takes them from here.
 */
export function placeFromEnvironment(env: Environment) {
  const given = givenIn(env);
  const intake = { listen: given("DELIVERD_INTAKE_LISTEN"), advertise: given("DELIVERD_INTAKE_ADVERTISE") };
  return {
    port: given("PORT"),
    dataDir: given("DELIVERD_DATA_DIR"),
    redisUrl: given("DELIVERD_REDIS_URL"),
    databaseUrl: given("DELIVERD_DATABASE_URL"),
    docker: intake.listen === undefined && intake.advertise === undefined ? {} : { intake },
  };
}

/** The same data that a file would hold: one GitHub host `github`, and one registry `default` where one is named. */
export function fromEnvironment(env: Environment): unknown {
  const given = givenIn(env);
  const registry =
    given("DELIVERD_REGISTRY") ?? given("DELIVERD_REGISTRY_USERNAME") ?? given("DELIVERD_REGISTRY_PASSWORD");
  const repos = given("DELIVERD_REPOS");
  return {
    ...placeFromEnvironment(env),
    publicUrl: given("DELIVERD_PUBLIC_URL"),
    adminToken: given("DELIVERD_ADMIN_TOKEN"),
    hosts: {
      github: {
        type: "github",
        apiUrl: given("GITHUB_API_URL"),
        cloneUrl: given("GITHUB_CLONE_URL"),
        webhookSecret: given("GITHUB_WEBHOOK_SECRET"),
        token: given("GITHUB_TOKEN"),
      },
    },
    registries:
      registry === undefined
        ? {}
        : {
            default: {
              type: "oci",
              url: given("DELIVERD_REGISTRY"),
              username: given("DELIVERD_REGISTRY_USERNAME"),
              password: given("DELIVERD_REGISTRY_PASSWORD"),
              default: true,
            },
          },
    repos: repos
      ?.split(",")
      .map((repo) => repo.trim())
      .filter((repo) => repo !== ""),
  };
}

/** Compose files pass on what is not set as an empty text. */
function givenIn(env: Environment): (name: string) => string | undefined {
  return (name) => (env[name] === "" ? undefined : env[name]);
}

/** The variable that a key comes from, for messages. */
export function variableOf(key: string): string {
  const name = VARIABLES.find(([, path]) => key === path.join(".") || key.startsWith(`${path.join(".")}[`))?.[0];
  return name ?? key;
}
