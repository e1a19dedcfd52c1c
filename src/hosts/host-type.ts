import type * as z from "zod";
import type { TypeDeclaration, TypedSettings } from "../settings/type-list.ts";
import type { AppSetup } from "./app-setup.ts";
import type { Host } from "./host.ts";
import type { HostTools } from "./host-tools.ts";

/** An entry of `hosts`, as far as every type has it. */
export interface HostSettings extends TypedSettings {
  /** A repo is cloned from `<cloneUrl>/<owner>/<name>`, or from where `{owner}` and `{name}` in it are filled in. */
  cloneUrl: string;
  /** Null: the host shows what it shows to everybody, and takes no statuses, unless it logs in otherwise. */
  token: string | null;
}

/** A declared type of git host. */
export interface HostType extends TypeDeclaration<HostSettings> {
  /** The setting without which commits get no statuses. Left out: `token`. */
  readonly reportsNeed?: string;
  /** The setting that may stand in the place of `token`. */
  readonly insteadOfToken?: string;
  /** Loads the type's code, and asks nothing over the network. @throws ConfigError where the settings cannot be used */
  open(key: string, settings: TypedSettings, tools: HostTools): Promise<Host>;
  /** Makes deliverd an App of the host by the host's own pages. Left out: the type has no such pages. */
  setUpApp?(key: string, settings: TypedSettings): Promise<AppSetup>;
}

/** The keys of the settings, and of the maps in them. */
type SettingKey<Settings> =
  | keyof Settings
  | { [Key in keyof Settings]: keyof NonNullable<Settings[Key]> }[keyof Settings];

/**
 * Declares a type of git host. `settings` parses an entry with its `type`; values under the keys `secrets`, also within a
 * map, are never shown.
 */
export function hostType<Schema extends z.ZodType<HostSettings>>(declaration: {
  type: z.output<Schema>["type"];
  settings: Schema;
  secrets: readonly (SettingKey<z.output<Schema>> & string)[];
  secretUrls?: readonly (SettingKey<z.output<Schema>> & string)[];
  reportsNeed?: keyof z.output<Schema> & string;
  insteadOfToken?: keyof z.output<Schema> & string;
  open(key: string, settings: z.output<Schema>, tools: HostTools): Promise<Host>;
  setUpApp?(key: string, settings: z.output<Schema>): Promise<AppSetup>;
}): HostType {
  const { settings: schema, ...rest } = declaration;
  // `open` gets what the schema gave: only here, where both are at hand, is that known.
  return { ...rest, schema } as unknown as HostType;
}
