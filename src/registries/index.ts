import * as z from "zod";
import type { ArtifactKind } from "../delivery/types.ts";
import type { Shelving } from "../delivery/version-names.ts";
import { oneOf, orNull, secret, strict, text, webUrl } from "../settings/scalars.ts";
import { type TypedSettings, typeList } from "../settings/type-list.ts";
import { amiRegistry } from "./ami/index.ts";
import { artifactoryRegistry } from "./artifactory/index.ts";
import { codeArtifactRegistry } from "./codeartifact/index.ts";
import { dockerHubRegistry } from "./docker-hub/index.ts";
import { ecrRegistry } from "./ecr/index.ts";
import { httpRegistry } from "./http/index.ts";
import { mavenRegistry } from "./maven/index.ts";
import { npm } from "./npm/index.ts";
import { ociRegistry } from "./oci/index.ts";
import type { Stock } from "./protocols/oci/image-registry.ts";
import { pypiRegistry } from "./pypi/index.ts";
import type { Registry } from "./registry.ts";
import { placeByUrl, type RegistrySettings, type RegistryType, registryType } from "./registry-type.ts";

export type { RegistrySettings } from "./registry-type.ts";

const login = { username: orNull(text), password: orNull(secret) };
const ca = orNull(text);
const accountId = text.regex(/^\d{12}$/, { error: "an account number of 12 digits, in quotes" });
/** What ECR takes as mutability exclusion filters: at most five, two wildcards in each. */
const movingTags = z
  .array(text.regex(/^(?=[^*]*(?:\*[^*]*){0,2}$)[A-Za-z0-9._*-]{1,128}$/, { error: "a tag, with * twice at most" }), {
    error: "a list of tags, such as [latest, main]",
  })
  .max(5, { error: "at most 5, as ECR takes them" });

const DOCKER_HUB = "https://registry-1.docker.io";

const dockerHub = registryType({
  type: "docker-hub",
  settings: { url: orNull(webUrl), username: text, password: secret, checkRepository: orNull(text) },
  secrets: ["password"],
  kinds: () => ["image"],
  place: ({ url }) => placeByUrl("oci", url ?? DOCKER_HUB),
  // One with a URL of its own is not Docker Hub: its login is nobody else's business.
  baseImageLogin: ({ url, username, password }, host) =>
    url === null && host === "docker.io" ? { username, password } : null,
  open: async (...given) => dockerHubRegistry(...given),
});

const oci = registryType({
  type: "oci",
  settings: { url: webUrl, ...login, ca, checkRepository: orNull(text) },
  secrets: ["password"],
  kinds: () => ["image"],
  place: ({ url }) => placeByUrl("oci", url),
  baseImageLogin: ({ url, username, password }, host) =>
    new URL(url).host === host && username !== null && password !== null ? { username, password } : null,
  open: async (...given) => ociRegistry(...given),
});

const ecr = registryType({
  type: "ecr",
  settings: {
    region: text,
    account: accountId,
    createRepositories: z.boolean({ error: "true or false" }).default(true),
    movingTags: movingTags.default(["latest", "main", "master", "develop", "release-*"]),
    checkRepository: orNull(text),
  },
  secrets: [],
  kinds: () => ["image"],
  place: ({ region, account }) => `ecr ${region} ${account}`,
  open: async (...given) => ecrRegistry(...given),
});

/** Artifactory keeps each kind in a repository of its own: it takes those that have one in the configuration. */
const KEPT = { image: "docker", jar: "maven", npm: "npm", wheel: "pypi", file: "generic" } as const;

const artifactory = registryType({
  type: "artifactory",
  settings: {
    url: webUrl,
    ...login,
    token: orNull(secret),
    repositories: strict({
      docker: orNull(text),
      maven: orNull(text),
      npm: orNull(text),
      pypi: orNull(text),
      generic: orNull(text),
    }),
  },
  secrets: ["password", "token"],
  kinds: ({ repositories }) =>
    (Object.keys(KEPT) as (keyof typeof KEPT)[]).filter((kind) => repositories[KEPT[kind]] !== null),
  place: ({ url, repositories }, kind) =>
    placeByUrl("artifactory", url, kind === "ami" ? "" : (repositories[KEPT[kind]] ?? "")),
  open: async (...given) => artifactoryRegistry(...given),
});

const codeArtifact = registryType({
  type: "codeartifact",
  settings: { region: text, domain: text, domainOwner: accountId, repository: text },
  secrets: [],
  kinds: () => ["jar", "npm", "wheel", "file"],
  place: ({ region, domainOwner, domain, repository }) =>
    `codeartifact ${region} ${domainOwner} ${domain} ${repository}`,
  open: async (...given) => codeArtifactRegistry(...given),
});

const pypi = registryType({
  type: "pypi",
  settings: { url: webUrl, index: webUrl, token: orNull(secret), ...login, ca },
  secrets: ["token", "password"],
  kinds: () => ["wheel"],
  place: ({ url }) => placeByUrl("pypi", url),
  open: async (...given) => pypiRegistry(...given),
});

const maven = registryType({
  type: "maven",
  settings: { url: webUrl, ...login, ca },
  secrets: ["password"],
  kinds: () => ["jar"],
  place: ({ url }) => placeByUrl("maven", url),
  open: async (...given) => mavenRegistry(...given),
});

const http = registryType({
  type: "http",
  settings: { url: webUrl, token: orNull(secret), ...login, ca },
  secrets: ["token", "password"],
  kinds: () => ["file", "jar", "npm", "wheel"],
  namesArePaths: true,
  place: ({ url }) => placeByUrl("http", url),
  open: async (...given) => httpRegistry(...given),
});

const ami = registryType({
  type: "ami",
  settings: {
    region: text,
    architecture: oneOf("x86_64", "arm64").default("x86_64"),
    bootMode: orNull(oneOf("uefi", "legacy-bios", "uefi-preferred")),
    rootDevice: text.regex(/^\/dev\/[a-z0-9]+$/, { error: "a device, such as /dev/xvda" }).default("/dev/xvda"),
  },
  secrets: [],
  kinds: () => ["ami"],
  place: ({ region }) => `ami ${region}`,
  open: async (...given) => amiRegistry(...given),
});

const declared = [dockerHub, oci, ecr, artifactory, codeArtifact, pypi, npm, maven, http, ami] as const;

export type RegistryTypeName = (typeof declared)[number]["type"];

/** Every type of registry. Whatever depends on the type of a registry asks its declaration here. */
export const registryTypes = typeList<RegistrySettings, RegistryType>(declared);

/**
 * All registries by their key. Nothing is asked over the network here.
 * @throws ConfigError `registry-url`, `registry-credentials`
 */
export async function openRegistries(
  configs: Record<string, TypedSettings>,
  stock: Stock,
  types = registryTypes,
): Promise<Map<string, Registry>> {
  const opened = new Map<string, Registry>();
  for (const [key, config] of Object.entries(configs)) {
    opened.set(key, await types.of(config).open(key, config, stock));
  }
  return opened;
}

/** Whether a registry names artifacts of this kind by paths. Files have paths everywhere. */
export function shelvingOf(settings: TypedSettings, kind: ArtifactKind, types = registryTypes): Shelving {
  return kind === "file" || types.of(settings).namesArePaths ? "path" : "package";
}
