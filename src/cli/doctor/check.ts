/** The parts of the report, in their order. */
export type Group = "This machine" | "Docker Engine" | "Reached by the hosts" | "Git hosts" | "Registries" | "Notices";

/** What stands, or what does not. `remedy`: what to do; null: the text says it. */
export interface Result {
  state: "ok" | "warn" | "fail";
  text: string;
  remedy: string | null;
  /** Failures with the same cause are one failure. Left out: it is the only one of its cause. */
  cause?: string;
}

export interface Check {
  group: Group;
  part: string;
  /** Parts above. If one of them fails, this one cannot be judged, and its failure would be no second fault. */
  needs?: readonly string[];
  /** The server that it asks. If it cannot be reached, that is one fault, however many checks ask it. */
  server?: URL | null;
  /** @returns what was found: a text if all is well @throws what is wrong */
  run(): Promise<string | Result | Result[]>;
  /** What to do where it fails, and the failure does not say so itself. */
  remedy: string;
}

/** A line of the report. */
export interface Finding {
  group: Group;
  part: string;
  state: Result["state"] | "skipped";
  text: string;
  remedy: string | null;
  /** The part whose failure is the cause, so that this one was not judged. */
  because: string | null;
}

export function ok(text: string): Result {
  return { state: "ok", text, remedy: null };
}

export function warn(text: string, remedy: string): Result {
  return { state: "warn", text, remedy };
}

export function fail(text: string, remedy: string | null): Result {
  return { state: "fail", text, remedy };
}
