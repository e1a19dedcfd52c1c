import * as z from "zod";
import type { ArtifactKind, RegistryName } from "../delivery/types.ts";
import { globs, oneOf, orNull, strict, webUrl } from "../settings/scalars.ts";
import type { TypeDeclaration, TypedSettings } from "../settings/type-list.ts";
import type { Stock } from "./protocols/oci/image-registry.ts";
import type { Registry } from "./registry.ts";

/** An entry of `registries`, as far as every type has it. */
export interface RegistrySettings extends TypedSettings {
  /** The registry of artifacts whose pipeline names none. */
  default: boolean;
  /** Globs of repositories in which several repos may publish. */
  shared: string[];
  /** Where proofs of images are put: beside them, also under the tag of older verifiers, or nowhere. */
  proof: "referrers" | "referrers+tag" | "none";
  /** What people and notices are told in place of the address that deliverd uses; null: the same. */
  publicUrl: string | null;
}

const common = {
  default: z
    .boolean({ error: "true or false" })
    .default(false)
    .describe("true: images of repos without a pipeline file go here. At most one registry. Left out: false."),
  shared: globs
    .default([])
    .describe("Repositories here that several repos may publish to, as names or globs. Left out: none."),
  proof: oneOf("referrers", "referrers+tag", "none")
    .default("referrers")
    .describe(
      "Where proofs go: referrers (beside the content), referrers+tag (for cosign before 2.6 too) or none. " +
        "Left out: referrers.",
    ),
  publicUrl: orNull(webUrl).describe("Where people and notices are told to find it. Left out: the url."),
};

type SettingsOf<Type extends string, Shape extends z.ZodRawShape> = z.output<
  z.ZodObject<{ type: z.ZodLiteral<Type> } & Shape & typeof common, z.core.$strict>
>;

interface Methods<Settings> {
  /** Which kinds of artifacts a registry of these settings takes. */
  kinds(settings: Settings): readonly ArtifactKind[];
  /** True: names are paths, whatever the kind is. Left out: packages are named as their ecosystem names them. */
  readonly namesArePaths?: boolean;
  /** Left out: it takes every name of the kind. @throws Refused `name-invalid` */
  requireName?(settings: Settings, name: RegistryName): void;
  /**
   * Where names of this kind are, as a canonical text that begins with the protocol. Two keys with one place have the
   * same names: the ledger treats them as one registry.
   */
  place(settings: Settings, kind: ArtifactKind): string | Promise<string>;
  /** The login with which the engine may pull base images from this host, `docker.io` for Docker Hub; null: none. */
  baseImageLogin?(settings: Settings, host: string): { username: string; password: string } | null;
  /** Asks nothing over the network. @throws ConfigError `registry-url`, `registry-credentials` */
  open(key: string, settings: Settings, stock: Stock): Promise<Registry>;
}

/** A declared type of registry. */
export interface RegistryType<Type extends string = string>
  extends TypeDeclaration<RegistrySettings>,
    Methods<TypedSettings> {
  readonly type: Type;
}

/**
 * Declares a type of registry. `settings` are the keys of an entry besides those that every type has.
 * `secrets` are the settings that are never shown.
 */
export function registryType<const Type extends string, Shape extends z.ZodRawShape>(
  declaration: { type: Type; settings: Shape; secrets: readonly (keyof Shape & string)[] } & Methods<
    SettingsOf<Type, Shape>
  >,
): RegistryType<Type> {
  const { type, settings, ...rest } = declaration;
  const schema = strict({
    type: z.literal(type).describe("The type of registry."),
    ...settings,
    ...common,
  }).superRefine(requireWholeLogin);
  // The methods get what the schema gave: only here, where both are at hand, is that known.
  return { ...rest, type, schema } as unknown as RegistryType<Type>;
}

function requireWholeLogin(value: object, context: z.RefinementCtx): void {
  if (!("username" in value && "password" in value)) return;
  if ((value.username === null) === (value.password === null)) return;
  context.addIssue({
    code: "custom",
    path: [value.username === null ? "username" : "password"],
    message: "both username and password, or neither",
  });
}

/** The place of what is reached by a URL: the same host in other letters, or with its usual port, is the same place. */
export function placeByUrl(protocol: string, url: string, repository = ""): string {
  const { href } = new URL(repository === "" ? url : `${url.replace(/\/+$/, "")}/${repository}`);
  return `${protocol} ${href.replace(/\/+$/, "")}`;
}
