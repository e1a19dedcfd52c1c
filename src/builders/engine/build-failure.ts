import type { DockerfileFacts } from "../../delivery/dockerfile/index.ts";
import { lineOfStep } from "../../delivery/dockerfile/step-line.ts";
import { TransientError, UserError } from "../../delivery/errors.ts";
import type { BuildLimits } from "../builder.ts";
import { engineGone, imageVanished, isUnreachable, tidyEngineMessage } from "./errors.ts";
import { cannotStart, isUsersMistake, MISSING_SECRET, runtimeFailure } from "./failure-patterns.ts";

/** How a build failed. */
export interface BuildFailure {
  /** The engine's message. */
  message: string;
  /** The instruction, as in `RUN make`, or the command. Null: the engine does not say. */
  step: string | null;
  /** The exit code of the step, as the engine reports it. */
  exitCode: number | null;
  /** The last lines that the step printed. */
  tail: string[];
}

/** Tries after an unexpected failure of the engine. They take about four minutes. */
const MAX_ENGINE_TRIES = 8;
/** Tries after a failed fetch of a build: its source may be down for longer. They take about an hour. */
const MAX_FETCH_TRIES = 20;

/**
 * Explains whose failure it is. Two kinds are the user's: the exit code of a command that ran, and a file that the
 * engine could not read. Everything else is the engine's: it is retried, and the message says so.
 * @param dockerfile null: the build has none
 */
export function explainFailure(
  failure: BuildFailure,
  dockerfile: Pick<DockerfileFacts, "syntax" | "file" | "steps"> | null,
  limits: BuildLimits | null,
): UserError | TransientError {
  const { message, tail } = failure;
  if (isDiskFull(message)) return diskFull(message, null);
  const place = placeOf(failure, dockerfile);
  if (failure.exitCode !== null) return readExit(failure, failure.exitCode, limits, place);
  if (/context canceled|code = (Unavailable|Canceled)|connection is closing/.test(message))
    return engineGone(new Error(tidyEngineMessage(message)));
  const vanished = imageVanished(message);
  if (vanished) return vanished;
  if (isUsersMistake(failure)) {
    const remedy = MISSING_SECRET.test(message) ? ". Name it under secrets of the artifact" : "";
    return usersFailure(`${named(failure)} failed: ${tidyEngineMessage(message)}${remedy}${place}`, tail);
  }
  if (isFetch(message)) return fetchFailed(message, dockerfile?.syntax ?? null);
  return engineFailed(`${named(failure)}: ${tidyEngineMessage(message)}`);
}

/** Explains an exit code: it is the command's own, or that of a runtime which could not start the command. */
function readExit(
  failure: BuildFailure,
  exitCode: number,
  limits: BuildLimits | null,
  place: string,
): UserError | TransientError {
  const runtime = runtimeFailure(failure.tail);
  if (runtime !== null) {
    if (cannotStart(runtime)) return usersFailure(`${named(failure)} could not be started${place}`, failure.tail);
    return engineFailed(`${named(failure)} was not started: ${tidyEngineMessage(runtime)}`);
  }
  const isFull = failure.tail.find(isDiskFull);
  // The command may mean another disk than the engine's, or a limit on watched files, so the tries are limited.
  if (isFull !== undefined) return diskFull(isFull, MAX_ENGINE_TRIES);
  const memory = limits?.memoryBytes
    ? `over its limit of ${Math.round(limits.memoryBytes / 2 ** 20)} MiB`
    : "too little";
  const killed = exitCode === 137 ? `: it was killed, most likely for memory (${memory})` : "";
  return usersFailure(`${named(failure)} failed with exit code ${exitCode}${killed}${place}`, failure.tail);
}

/** As in ` (Dockerfile:12)`, for people and as the place of an annotation; empty if the line is not known. */
function placeOf({ step }: BuildFailure, dockerfile: Pick<DockerfileFacts, "file" | "steps"> | null): string {
  const line = step === null || dockerfile === null ? null : lineOfStep(dockerfile.steps, step);
  return line === null ? "" : ` (${dockerfile?.file}:${line})`;
}

function usersFailure(reason: string, tail: string[]): UserError {
  return new UserError("build-failed", [reason, ...tail].join("\n"));
}

/** The engine could not do its own part of a build. @param what the step and the engine's message */
export function engineFailed(what: string): TransientError {
  return new TransientError(
    "engine-failed",
    `The engine failed, not the build. ${what}. If it repeats, read the engine's log.`,
    { tries: MAX_ENGINE_TRIES },
  );
}

function isDiskFull(line: string): boolean {
  return /no space left on device|disk quota exceeded|ENOSPC/i.test(line);
}

function diskFull(line: string, tries: number | null): TransientError {
  return new TransientError(
    "disk-full",
    `The engine's disk is full: ${tidyEngineMessage(line)}. ` +
      'Free space there, for instance with "docker system prune".',
    { tries },
  );
}

/**
 * Whether BuildKit could not fetch something. Base images were pulled before: it is a `# syntax=` image or an ADD of a
 * URL.
 */
function isFetch(message: string): boolean {
  // The engine gives itself the context by an internal address.
  if (/build-context-/.test(message)) return false;
  return (
    isUnreachable(message) ||
    /failed to do request|frontend gateway\.v0: (?!rpc error)|failed to resolve source metadata/.test(message)
  );
}

function fetchFailed(message: string, syntax: string | null): UserError | TransientError {
  const isFrontend = syntax !== null && (message.includes("frontend gateway.v0") || message.includes(`${syntax}: `));
  const explained = isFrontend
    ? `The engine could not fetch the image of the Dockerfile's line "# syntax=${syntax}": ` +
      `${tidyEngineMessage(message)}. Give the engine access to it, ` +
      "or remove the line if the Dockerfile needs nothing newer than the engine."
    : `The engine could not fetch what the build asks for: ${tidyEngineMessage(message)}`;
  if (isUnreachable(message))
    return new TransientError(isFrontend ? "frontend-unreachable" : "fetch-failed", explained, {
      tries: MAX_FETCH_TRIES,
    });
  return new UserError(isFrontend ? "frontend-missing" : "fetch-refused", explained);
}

function named({ step }: BuildFailure): string {
  if (step === null) return "the build";
  return `build step '${step.length > 200 ? `${step.slice(0, 200)}…` : step}'`;
}
