import {
  defaultsFromEnvironment,
  type Environment,
  type Fail,
  placeFromEnvironment,
  variableOf,
} from "./environment.ts";

/**
 * The data of a file in the place where it is used: the environment says where the process runs, and gives some keys
 * that the file leaves out. So one file works on a laptop and in the container image.
 */
export function atPlace(data: unknown, env: Environment, fail: Fail): unknown {
  if (!isMap(data)) return data;
  const { intake, ...place } = placeFromEnvironment(env);
  const placed = { ...defaultsFromEnvironment(env, fail), ...data, ...defined(place) };
  return isEmpty(defined(intake)) ? placed : { ...placed, docker: dockerAt(data.docker, defined(intake)) };
}

/** Whether the environment says this key, so that a file has no part in it. */
export function isSaidByPlace(key: string, env: Environment): boolean {
  const variable = variableOf(key);
  const { intake, ...place } = placeFromEnvironment(env);
  const said = { ...defined(place), ...defined(intake) };
  return variable !== key && Object.keys(said).includes(key.slice(key.lastIndexOf(".") + 1));
}

/** A `docker` of the wrong form stays: the schema says what is wrong with it. */
function dockerAt(docker: unknown, intake: Record<string, string>): unknown {
  if (docker === undefined || docker === null) return { intake };
  if (!isMap(docker)) return docker;
  return { ...docker, intake: isMap(docker.intake) ? { ...docker.intake, ...intake } : intake };
}

function defined(values: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

function isEmpty(map: object): boolean {
  return Object.keys(map).length === 0;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
