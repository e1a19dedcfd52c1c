import * as z from "zod";
import { didYouMean } from "../delivery/did-you-mean.ts";
import {
  apps,
  duration,
  formBy,
  globs,
  oneOf,
  orNull,
  secret,
  serviceUrl,
  size,
  strict,
  text,
  webUrl,
  whole,
} from "./scalars.ts";

const key = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: "a key of letters, digits and . _ -, beginning with a letter or digit",
});

const host = strict({
  type: oneOf("github"),
  apiUrl: webUrl.default("https://api.github.com"),
  cloneUrl: orNull(webUrl),
  webhookSecret: secret,
  token: orNull(secret),
}).transform((value) => ({ ...value, cloneUrl: value.cloneUrl ?? defaultCloneUrl(value.apiUrl) }));

/** GitHub Enterprise Server answers its API under `/api/v3` of the very host that it clones from. */
function defaultCloneUrl(apiUrl: string): string {
  return apiUrl.endsWith("/api/v3") ? apiUrl.slice(0, -"/api/v3".length) : "https://github.com";
}

/** What every registry can say: whether it is the default, and which repos may share names with others. */
const common = { default: z.boolean({ error: "true or false" }).default(false), shared: globs.default([]) };
const login = { username: orNull(text), password: orNull(secret) };
const ca = orNull(text);
const aws = { region: text };
const accountId = text.regex(/^\d{12}$/, { error: "an account number of 12 digits, in quotes" });
/** What ECR takes as mutability exclusion filters: at most five, two wildcards in each. */
const movingTags = z
  .array(text.regex(/^(?=[^*]*(?:\*[^*]*){0,2}$)[A-Za-z0-9._*-]{1,128}$/, { error: "a tag, with * twice at most" }), {
    error: "a list of tags, such as [latest, main]",
  })
  .max(5, { error: "at most 5, as ECR takes them" });

const registryTypes = [
  strict({
    type: z.literal("docker-hub"),
    url: orNull(webUrl),
    username: text,
    password: secret,
    checkRepository: orNull(text),
    ...common,
  }),
  strict({ type: z.literal("oci"), url: webUrl, ...login, ca, checkRepository: orNull(text), ...common }),
  strict({
    type: z.literal("ecr"),
    ...aws,
    account: accountId,
    createRepositories: z.boolean({ error: "true or false" }).default(true),
    movingTags: movingTags.default(["latest", "main", "master", "develop", "release-*"]),
    checkRepository: orNull(text),
    ...common,
  }),
  strict({
    type: z.literal("artifactory"),
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
    ...common,
  }),
  strict({
    type: z.literal("codeartifact"),
    ...aws,
    domain: text,
    domainOwner: accountId,
    repository: text,
    ...common,
  }),
  strict({ type: z.literal("pypi"), url: webUrl, index: webUrl, token: orNull(secret), ...login, ca, ...common }),
  strict({ type: z.literal("npm"), url: orNull(webUrl), token: secret, ca, ...common }),
  strict({ type: z.literal("maven"), url: webUrl, ...login, ca, ...common }),
  strict({ type: z.literal("http"), url: webUrl, token: orNull(secret), ...login, ca, ...common }),
  strict({
    type: z.literal("ami"),
    ...aws,
    architecture: oneOf("x86_64", "arm64").default("x86_64"),
    bootMode: orNull(oneOf("uefi", "legacy-bios", "uefi-preferred")),
    rootDevice: text.regex(/^\/dev\/[a-z0-9]+$/, { error: "a device, such as /dev/xvda" }).default("/dev/xvda"),
    ...common,
  }),
] as const;
const TYPE_NAMES = registryTypes.map((one) => one.shape.type.value);

const registry = z
  .discriminatedUnion("type", registryTypes, {
    error: formBy("type", TYPE_NAMES),
  })
  .superRefine((value, context) => {
    if ("username" in value && (value.username === null) !== (value.password === null)) {
      context.addIssue({
        code: "custom",
        path: [value.username === null ? "username" : "password"],
        message: "both username and password, or neither",
      });
    }
  });

const notice = strict({
  type: oneOf("webhook"),
  url: webUrl,
  // https://www.standardwebhooks.com: the base64 of the key behind its prefix.
  secret: orNull(
    secret.regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, { error: "whsec_ and the base64 of 24 to 64 random bytes" }),
  ),
});

const repoMatch = z.string().regex(/^[^\s/]+(?:\/[^\s/]+)+$/, {
  error: "a repo as owner/name, owner/* or */*, with the host's key before it where you like",
});

const repo = z.union(
  [
    repoMatch,
    strict({
      match: repoMatch,
      branches: orNull(globs),
      tags: orNull(globs),
      ci: orNull(
        strict({ required: globs.min(1, { error: "at least one check" }).optional(), apps: orNull(apps) })
          .refine((ci) => ci.required !== undefined || ci.apps !== null, { error: "required, apps, or both" })
          .transform((ci) => ({ required: ci.required ?? [], apps: ci.apps })),
      ),
      registries: orNull(z.array(text, { error: "a list of keys of registries" })),
      secrets: z
        .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "a name of letters, digits and _" }), secret)
        .default({}),
    }),
  ],
  { error: "a repo as owner/name, or a map with match" },
);

const unbounded = { branches: null, tags: null, ci: null, registries: null, secrets: {} };

const address = text.regex(/^(?:\[[0-9a-fA-F:]+\]|[^\s:/@]+):\d{1,5}$/, {
  error: "an address with its port, such as 127.0.0.1:5055",
});

const docker = strict({
  socket: orNull(text.regex(/^\//, { error: "the path of a unix socket, such as /var/run/docker.sock" })),
  intake: orNull(strict({ listen: address, advertise: address })),
  limits: strict({
    memory: orNull(size),
    cpus: orNull(z.number({ error: "a number of CPUs" }).positive({ error: "more than 0" })),
  })
    .nullish()
    .transform((value) => value ?? { memory: null, cpus: null }),
  buildTimeout: duration.prefault("1h"),
  network: orNull(text),
});

/** The server's file. What is left out has its default; what has none is null. */
export const serverSchema = strict({
  publicUrl: orNull(webUrl),
  port: whole(0, 65_535).prefault(8080),
  workerPort: whole(0, 65_535).prefault(8081),
  dataDir: text.default("data"),
  redisUrl: orNull(serviceUrl(["redis", "rediss"], "redis://redis:6379")),
  databaseUrl: orNull(serviceUrl(["postgres", "postgresql"], "postgres://deliverd@db/deliverd")),
  docker: docker.prefault({}),
  grace: duration.prefault("8s"),
  hosts: z
    .record(key, host, { error: "a map of git hosts, such as github: { type: github, webhookSecret: … }" })
    .refine((hosts) => Object.keys(hosts).length > 0, { error: "at least one git host" }),
  registries: z
    .record(key, registry, { error: "a map of registries, such as local: { type: oci, url: … }" })
    .default({})
    .refine((registries) => Object.values(registries).filter((one) => one.default).length <= 1, {
      error: "at most one registry with default: true",
    }),
  notices: z.array(notice, { error: "a list of notices" }).default([]),
  repos: z
    .array(repo, { error: "the list of repos that may be delivered, such as [acme/*]" })
    .min(1, { error: "at least one repo, such as acme/*" })
    .transform((repos) => repos.map((entry) => (typeof entry === "string" ? { match: entry, ...unbounded } : entry))),
  adminToken: orNull(secret),
  anonymous: oneOf("none", "viewer").default("none"),
  disk: strict({ max: size.prefault("20GB") }).prefault({}),
  workers: strict({ slots: whole(1, 64).prefault(2) }).prefault({}),
  prepare: oneOf("eager", "onGreen").default("eager"),
}).superRefine((config, context) => {
  // zod comes here with half-checked values too, where what was wrong is not of the gravest kind.
  if (context.issues.length > 0) return;
  const known = Object.keys(config.registries);
  for (const [index, entry] of config.repos.entries()) {
    for (const [place, name] of (entry.registries ?? []).entries()) {
      if (known.includes(name)) continue;
      const message = `a key of registries${didYouMean(name, known)}: ${known.join(", ") || "none is configured"}`;
      context.addIssue({ code: "custom", path: ["repos", index, "registries", place], message });
    }
    const twin = config.repos.findIndex((other) => other.match.toLowerCase() === entry.match.toLowerCase());
    if (twin < index) {
      context.addIssue({
        code: "custom",
        path: ["repos", index],
        message: `each repo once; ${entry.match} stands above too`,
      });
    }
  }
});

/** Any registry of the server's file. */
export type RegistryConfig = z.output<typeof registry>;
export type HostConfig = z.output<typeof host>;
export type NoticeConfig = z.output<typeof notice>;
export type ServerFile = z.output<typeof serverSchema>;
