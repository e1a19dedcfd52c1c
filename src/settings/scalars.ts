import * as z from "zod";
import { didYouMean } from "../delivery/did-you-mean.ts";
import { quoted } from "../delivery/printable.ts";

/*
 * The scalars of both configuration files. The message of a schema says what is expected and how to write it.
 * `problems.ts` adds what was found, because it has the file. So no message here can hold a value.
 */

const MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Record<string, number> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `500ms`, `8s`, `10m`, `6h`, `2d`; parsed to ms. */
export const duration = measure(
  MS,
  /^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/,
  "a duration, such as 500ms, 8s, 10m or 6h",
);

/** `512MB`, `20GB`, `1GiB`; parsed to bytes. */
export const size = measure(
  BYTES,
  /^\d{1,9}(?:\.\d{1,3})?(?:[kKMGT]?B|[KMGT]iB)$/,
  "a size, such as 512MB, 20GB or 1GiB",
);

function measure(units: Record<string, number>, pattern: RegExp, expected: string) {
  return z
    .string({ error: expected })
    .regex(pattern, { error: expected })
    .transform((text) => Math.round(Number.parseFloat(text) * (units[text.replace(/^[\d.]+/, "")] ?? 0)));
}

/** A whole number; as text too, because a substituted `${PORT}` is text. */
export function whole(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  const text = z.string().regex(/^\d{1,9}$/, { error: expected });
  return z
    .union([z.number(), text], { error: expected })
    .transform(Number)
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: expected });
}

/** Any text with something in it. */
export const text = z.string({ error: "a text; put it in quotes" }).min(1, { error: "a text that is not empty" });

const SECRET = `a secret text, best as \${NAME} or \${file:/path}`;

/** The same, for what must never be shown. */
export const secret = z.string({ error: SECRET }).min(1, { error: SECRET });

/** A token that goes into a header: a line end in it would make every request fail. */
export const token = secret.regex(/^[\x21-\x7e]+$/, {
  error: "a token without spaces, line ends and other characters that no token has; check where it comes from",
});

/** An http or https URL without credentials, which may have a query; parsed without the slash at its end. */
export const receiverUrl = z
  .string({ error: "a URL, such as https://example.com" })
  .superRefine((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) {
      context.addIssue("a URL, such as https://example.com");
    } else if (url.username !== "" || url.password !== "") {
      context.addIssue("a URL without credentials; put them under username and password, or token");
    }
  })
  .transform((value) => value.replace(/\/+$/, ""));

/** The same of a server, to whose URL paths are added. */
export const webUrl = receiverUrl.refine((value) => !/[?#]/.test(value), {
  error: "a URL without a query (?) and a fragment (#)",
});

/** The same of a server that is reached at its root: scheme, host and port. */
export const originUrl = webUrl.refine((value) => !URL.canParse(value) || new URL(value).pathname === "/", {
  error: "https://host or http://host:port without a path; names of repositories go into `as` of a pipeline",
});

/** A URL of one of these schemes; it may hold credentials. */
export function serviceUrl(schemes: string[], example: string) {
  return z
    .string({ error: `a URL, such as ${example}` })
    .refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)), {
      error: `a URL, such as ${example}`,
    });
}

/** Left out and left empty are the same: null. */
export function orNull<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? null);
}

/** A person reads no more at once, and each costs a search for the key that was meant. */
const MAX_KEYS_TOLD = 20;

/** An object that knows its keys: a key it does not know is named, with the one it was probably meant to be. */
export function strict<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys
            .slice(0, MAX_KEYS_TOLD)
            .map((key) => `${quoted(key)} is not a key here${didYouMean(key, known)}; known are ${known.join(", ")}`)
            .join("\n")
        : `a map of ${known.join(", ")}`,
  });
}

/** One of several words. */
export function oneOf<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words, {
    error: ({ input }) => {
      const all = words.length === 1 ? `${words[0]}, the only one that is known` : words.join(" or ");
      return `${all}${typeof input === "string" ? didYouMean(input, words) : ""}`;
    },
  });
}

/** The message of a map whose form goes by one of its keys: which words that key can hold. */
export function formBy(key: string, words: readonly string[]) {
  return ({ code, input }: { code?: string; input?: unknown }): string => {
    if (code === "invalid_type") return `a map with its ${key}`;
    const word: unknown = typeof input === "object" && input !== null ? Reflect.get(input, key) : undefined;
    return `one of ${words.join(", ")}${typeof word === "string" ? didYouMean(word, words) : ""}`;
  };
}

/** Globs of branches, tags, paths or checks: short, so that a hostile file cannot make matching slow. */
export const globs = z
  .array(text.max(256, { error: "a name or glob of at most 256 characters" }), {
    error: "a list of names or globs, such as [main]",
  })
  .max(100, { error: "a list of at most 100" });

/** Whose check runs count, by the slugs of their apps, as hosts write them. */
export const apps = z
  .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,99}$/, { error: "the slug of an app, such as github-actions" }), {
    error: "a list of the slugs of apps, such as [github-actions]",
  })
  .min(1, { error: "at least one app; leave `apps` out to trust the checks of all" })
  .max(20, { error: "a list of at most 20" });
