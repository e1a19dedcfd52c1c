import * as z from "zod";
import { formBy } from "./scalars.ts";
import { tokensOf } from "./url-tokens.ts";

/** One entry of the configuration whose form depends on its `type`. */
export interface TypedSettings {
  type: string;
  [setting: string]: unknown;
}

/** What one type declares of itself. Schema, masking and messages of the configuration are derived from it. */
export interface TypeDeclaration<Settings extends TypedSettings = TypedSettings> {
  /** The value of `type` in the configuration. */
  readonly type: string;
  /** Parses one entry, `type` included. */
  readonly schema: z.ZodType<Settings>;
  /** Keys, also within a map, whose values no log, message or answer may show. */
  readonly secrets: readonly string[];
  /** Keys of URLs whose path and query may be a secret, such as those of a chat's webhook. Left out: none. */
  readonly secretUrls?: readonly string[];
}

/** All types of one part of the configuration, such as `registries`. */
export interface TypeList<Settings extends TypedSettings, Declaration extends TypeDeclaration<Settings>> {
  readonly all: readonly Declaration[];
  /** Parses an entry of any of the types. */
  readonly schema: z.ZodType<Settings>;
  /** The declaration of this entry's type. */
  of(settings: TypedSettings): Declaration;
  /** The values that must be masked. */
  secretsOf(settings: TypedSettings): string[];
}

/** Makes a list of its types. @param all in the order in which messages name them */
export function typeList<Settings extends TypedSettings, Declaration extends TypeDeclaration<Settings>>(
  all: readonly Declaration[],
): TypeList<Settings, Declaration> {
  const byType = new Map(all.map((each) => [each.type, each]));
  const of = ({ type }: TypedSettings): Declaration => {
    const found = byType.get(type);
    if (found === undefined) throw new Error(`no type ${type} is declared; declared are ${[...byType.keys()]}`);
    return found;
  };
  return {
    all,
    schema: schemaOf(all),
    of,
    secretsOf: (settings) => {
      const { secrets, secretUrls = [] } = of(settings);
      return [...textsUnder(settings, secrets), ...secretUrls.flatMap((key) => tokensOf(settings[key]))];
    },
  };
}

/** The texts under these keys, at the top or within a map. */
function textsUnder(settings: object, keys: readonly string[]): string[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    if (typeof value === "string") return keys.includes(key) ? [value] : [];
    return typeof value === "object" && value !== null && !Array.isArray(value) ? textsUnder(value, keys) : [];
  });
}

function schemaOf<Settings extends TypedSettings>(all: readonly TypeDeclaration<Settings>[]): z.ZodType<Settings> {
  const [first, ...others] = all.map(({ schema }) => schema);
  if (first === undefined) throw new Error("a list of types holds at least one");
  // With one type only, its other keys are checked even where `type` is left out.
  if (others.length === 0) return first;
  // zod reads the value of `type` from each schema when it makes the union; its types want them spelled out.
  const options = [first, ...others] as unknown as [z.ZodObject<{ type: z.ZodLiteral<string> }>];
  const error = formBy(
    "type",
    all.map(({ type }) => type),
  );
  return z.discriminatedUnion("type", options, { error }) as unknown as z.ZodType<Settings>;
}
