/** The repo of all examples, as deliverd reads it. */
export interface ExampleRepo {
  hostId: string;
  owner: string;
  name: string;
  defaultBranch: string | null;
}

export interface HintFacts {
  ref: string | null;
  sha: string | null;
  /** The event's name and action, for people. */
  event: string;
  /** Left out: the repo of all examples. */
  repo?: ExampleRepo;
}

/** What deliverd must make of a body. */
export type ExpectedReading =
  | { hints: HintFacts[]; orders?: { sha: string; action: "retry" | "cancel"; person: string; event: string }[] }
  | { ignored: RegExp }
  /** The message of the refusal. */
  | { malformed: RegExp };

/** One webhook as the host sends it, shaped after its documentation. */
export interface WebhookExample {
  /** `a push to a branch` */
  what: string;
  /** The headers that name the event and the request, by lower-case name; not the signature. */
  headers: Record<string, string>;
  /** As JSON: what is undefined is left out. */
  body: Record<string, unknown>;
  expected: ExpectedReading;
}

/**
 * The webhooks of a type of host, for its contract and for the fuzzer. It shares no code with the adapter.
 * `index.ts` lists them; a test compares the list with the types that are declared.
 */
export interface HostExamples {
  /** The value of `type`; the key under `hosts` too, unless `key` says another one. */
  type: string;
  /** For a second product of one type. */
  key?: string;
  /** An entry of `hosts`. Nothing listens at its addresses. */
  settings: { type: string; webhookSecret: string } & Record<string, unknown>;
  repo: ExampleRepo;
  /** The headers of a right signature over a body, made with the secret of `settings`. */
  sign(body: Buffer): Record<string, string>;
  /** The header that the signature is in, by lower-case name. */
  signatureHeader: string;
  /** At least 20. */
  table: readonly WebhookExample[];
  /** More bodies that deliverd takes, for the fuzzer. */
  more?: readonly Pick<WebhookExample, "headers" | "body">[];
  /** Paths in the bodies that deliverd reads: the fuzzer aims there. */
  aims: readonly (readonly string[])[];
}

/** The key under `hosts`. */
export function keyOf({ type, key = type }: HostExamples): string {
  return key;
}

export const SHA = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
/** The object of an annotated tag. */
export const TAG_OBJECT = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7";
export const ZERO = "0".repeat(40);
