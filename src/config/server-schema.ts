import * as z from "zod";
import { didYouMean } from "../delivery/did-you-mean.ts";
import { hostOfPattern } from "../delivery/repo-name.ts";
import { hostTypes } from "../hosts/index.ts";
import { noticeTypes } from "../notices/index.ts";
import { registryTypes } from "../registries/index.ts";
import {
  apps,
  duration,
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
} from "../settings/scalars.ts";

const key = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: "a key of letters, digits and . _ -, beginning with a letter or digit",
});

/** The types that a server knows, for each part of its file that has types. */
export interface ServerTypes {
  hosts: typeof hostTypes;
  registries: typeof registryTypes;
  notices: typeof noticeTypes;
}

export const builtInTypes: ServerTypes = { hosts: hostTypes, registries: registryTypes, notices: noticeTypes };

const repoMatch = z.string().regex(/^[^\s/]+(?:\/[^\s/]+)+$/, {
  error: "a repo as owner/name, owner/*, owner/** or */*, optionally with the host's key before it",
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
export function serverSchemaOf(types: ServerTypes) {
  return strict({
    publicUrl: orNull(webUrl),
    port: whole(0, 65_535).prefault(8080),
    workerPort: whole(0, 65_535).prefault(8081),
    dataDir: text.default("data"),
    redisUrl: orNull(serviceUrl(["redis", "rediss"], "redis://redis:6379")),
    databaseUrl: orNull(serviceUrl(["postgres", "postgresql"], "postgres://deliverd@db/deliverd")),
    docker: docker.prefault({}),
    grace: duration.prefault("8s"),
    hosts: z
      .record(key, types.hosts.schema, {
        error: "a map of git hosts, such as github: { type: github, webhookSecret: … }",
      })
      .refine((hosts) => Object.keys(hosts).length > 0, { error: "at least one git host" }),
    registries: z
      .record(key, types.registries.schema, { error: "a map of registries, such as local: { type: oci, url: … }" })
      .default({})
      .refine((registries) => Object.values(registries).filter((one) => one.default).length <= 1, {
        error: "at most one registry with default: true",
      }),
    notices: z.array(types.notices.schema, { error: "a list of notices" }).default([]),
    repos: z
      .array(repo, { error: "the list of repos that may be delivered, such as [acme/*]" })
      .min(1, { error: "at least one repo, such as acme/*" })
      .transform((repos) => repos.map((entry) => (typeof entry === "string" ? { match: entry, ...unbounded } : entry))),
    adminToken: orNull(secret),
    anonymous: oneOf("none", "viewer").default("none"),
    disk: strict({ max: size.prefault("20GB") }).prefault({}),
    workers: strict({ slots: whole(1, 64).prefault(2) }).prefault({}),
    prepare: oneOf("eager", "onGreen").default("eager"),
  })
    .superRefine(requireKnownRegistries)
    .transform((file) => ({ ...file, repos: file.repos.map((entry) => withHost(entry, Object.keys(file.hosts))) }));
}

/** Only here both are known: which hosts there are, and what an entry of `repos` begins with. */
function withHost<Entry extends { match: string }>(entry: Entry, hosts: string[]): Entry & { host?: string } {
  const host = hostOfPattern(entry.match, hosts);
  return host === null ? entry : { ...entry, host };
}

export const serverSchema = serverSchemaOf(builtInTypes);

interface RepoEntries {
  registries: object;
  repos: { match: string; registries: string[] | null }[];
}

/** Repos name registries that are configured, and each repo stands once. */
function requireKnownRegistries(config: RepoEntries, context: z.core.$RefinementCtx): void {
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
        message: `each repo once; ${entry.match} is above already`,
      });
    }
  }
}

export type ServerFile = z.output<typeof serverSchema>;
