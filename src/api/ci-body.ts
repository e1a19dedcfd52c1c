import * as z from "zod";
import { isFullSha } from "../delivery/sha.ts";
import type { PushedCheck } from "../hosts/host-tools.ts";
import { Problem } from "../receiver/problem.ts";

/** More of them come in several requests. */
const MAX_CHECKS = 100;
/** How far the clock of CI may be ahead of ours (ms): a time in the future would outlast every later result. */
const MAX_AHEAD_MS = 5 * 60_000;

const STATES = ["pending", "success", "failure", "skipped"] as const;

/** Neither a terminal nor a database takes control characters. */
const printable = (max: number) =>
  z
    .string({ error: "must be a text" })
    .min(1, { error: "must not be empty" })
    .max(max, { error: `must have at most ${max} characters` })
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: "must not have control characters" });

const webUrl = printable(1_000).refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
  error: "must be an http or https URL",
});

const time = z.iso.datetime({ offset: true, error: "must be a time as in 2026-01-31T12:00:00Z" }).transform(Date.parse);

export const ciBodySchema = z.strictObject(
  {
    repo: printable(6_500),
    sha: z.string({ error: "must be a text" }).refine(isFullSha, { error: "must be a whole commit id in lower case" }),
    checks: z
      .array(
        z.strictObject({
          name: printable(255),
          state: z.enum(STATES, { error: `must be one of ${STATES.join(", ")}` }),
          url: webUrl.nullish(),
          at: time.nullish(),
        }),
        { error: "must be a list" },
      )
      .min(1, { error: "must hold a check" })
      .max(MAX_CHECKS, { error: `must hold at most ${MAX_CHECKS} checks` }),
  },
  { error: "must be an object with repo, sha and checks" },
);

/** What CI says about one commit. */
export interface CiBody {
  /** `<owner>/<name>`, or with the host before it. */
  repo: string;
  sha: string;
  checks: PushedCheck[];
}

/**
 * Reads the body of `POST /api/v1/ci`.
 * @param now ms since the epoch: the time of a check that says none
 * @throws Problem 400, which names the key and no value
 */
export function readCiBody(bytes: Buffer, now: number): CiBody {
  const result = ciBodySchema.safeParse(parsed(bytes));
  if (!result.success) {
    const { path, message } = result.error.issues[0] ?? { path: [], message: "is not valid" };
    throw new Problem(400, `${path.join(".") || "The body"} ${message}.`);
  }
  const { repo, sha, checks } = result.data;
  return {
    repo,
    sha,
    checks: checks.map(({ name, state, url, at }, index) => {
      if (at != null && at > now + MAX_AHEAD_MS)
        throw new Problem(400, `checks.${index}.at is more than five minutes in the future: check the clock of CI.`);
      return { name, state, url: url ?? null, at: at ?? now };
    }),
  };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new Problem(400, "The body is not JSON.");
  }
}
