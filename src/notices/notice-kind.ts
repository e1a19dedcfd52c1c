import type * as z from "zod";
import type { TypeDeclaration, TypedSettings } from "../settings/type-list.ts";
import type { Notifier } from "./notice.ts";

/** A declared kind of notice: how the message that a release is ready reaches its receiver. */
export interface NoticeKind extends TypeDeclaration {
  /**
   * Asks nothing over the network.
   * @param entry names the entry in errors, such as `notices[0]`
   * @throws ConfigError where the settings cannot be used
   */
  open(settings: TypedSettings, entry: string): Notifier;
}

/** Declares a kind of notice. `settings` parses an entry with its `type`; values under the keys `secrets` are never shown. */
export function noticeKind<Schema extends z.ZodType<TypedSettings>>(declaration: {
  type: z.output<Schema>["type"];
  settings: Schema;
  secrets: readonly (keyof z.output<Schema> & string)[];
  secretUrls?: readonly (keyof z.output<Schema> & string)[];
  open(settings: z.output<Schema>, entry: string): Notifier;
}): NoticeKind {
  const { settings: schema, ...rest } = declaration;
  // `open` gets what the schema gave: only here, where both are at hand, is that known.
  return { ...rest, schema } as unknown as NoticeKind;
}
