import * as z from "zod";
import { hostOfPattern } from "../delivery/repo-name.ts";
import { ADMIN_NAME, ROLES } from "../delivery/roles.ts";
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
import { trustProxy } from "./trust-proxy.ts";

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
      match: repoMatch.describe("The repos of this entry: owner/name or owner/*, with a host's key before it or not."),
      branches: orNull(globs).describe("Branches that may be delivered, as names or globs. Left out: any."),
      tags: orNull(globs).describe("Git tags that may be delivered, as names or globs. Left out: any."),
      ci: orNull(
        strict({
          required: globs
            .min(1, { error: "at least one check" })
            .optional()
            .describe("Checks that must pass, added to those of the pipeline, as names or globs."),
          apps: orNull(apps).describe("Only the checks of these apps count, by their slugs. Left out: all apps."),
        })
          .refine((ci) => ci.required !== undefined || ci.apps !== null, { error: "required, apps, or both" })
          .transform((ci) => ({ required: ci.required ?? [], apps: ci.apps })),
      ).describe("What CI must show, whatever the pipeline says. Left out: what the pipeline asks for."),
      registries: orNull(z.array(text, { error: "a list of keys of registries" })).describe(
        "Keys of the registries that the pipeline may publish to. Left out: all.",
      ),
      secrets: z
        .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "a name of letters, digits and _" }), secret)
        .default({})
        .describe("Secrets that builds of these repos may read, by name."),
    }),
  ],
  { error: "a repo as owner/name, or a map with match" },
);

const unbounded = { branches: null, tags: null, ci: null, registries: null, secrets: {} };

const address = text.regex(/^(?:\[[0-9a-fA-F:]+\]|[^\s:/@]+):\d{1,5}$/, {
  error: "an address with its port, such as 127.0.0.1:5055",
});

const pem = secret.regex(/-----BEGIN [A-Z ]+-----/, { error: "a PEM text, best from a file, as secrets are" });

const docker = strict({
  kind: oneOf("auto", "docker", "podman", "buildkit")
    .default("auto")
    .describe("What the engine is: auto (by what answers), docker, podman or buildkit. Left out: auto."),
  url: orNull(
    z.string().regex(/^tcp:\/\/(?:\[[0-9a-fA-F:]+\]|[^\s:/@?#]+):\d{1,5}$|^unix:\/\/\/[^\s?#]+$/, {
      error: "tcp://host:port or unix:///path of a BuildKit",
    }),
  ).describe("Where a BuildKit listens, with kind: buildkit. Left out: socket, else BUILDKIT_HOST."),
  tls: orNull(
    strict({
      ca: pem.describe("PEM of the authority that vouches for the BuildKit."),
      cert: pem.describe("PEM of the certificate that deliverd shows."),
      key: pem.describe("PEM of its private key."),
    }),
  ).describe("Certificates for a BuildKit at tcp://. Left out: none."),
  socket: orNull(text.regex(/^\//, { error: "the path of a unix socket, such as /var/run/docker.sock" })).describe(
    "The engine's unix socket. Left out: DOCKER_HOST, else /var/run/docker.sock.",
  ),
  intake: orNull(
    strict({
      listen: address.describe("The address and port where deliverd listens."),
      advertise: address.describe("The address and port that the engine uses to reach it."),
    }),
  ).describe("Where the engine pushes what it built. Left out: a free port of 127.0.0.1."),
  limits: strict({
    memory: orNull(size).describe("Memory that each build may use, such as 2GB. Left out: no limit."),
    cpus: orNull(z.number({ error: "a number of CPUs" }).positive({ error: "more than 0" })).describe(
      "CPUs that each build may use. Left out: no limit.",
    ),
  })
    .nullish()
    .transform((value) => value ?? { memory: null, cpus: null })
    .describe("Limits of each build."),
  buildTimeout: duration.prefault("1h").describe("How long a build may take. Left out: 1h."),
  network: orNull(text).describe("The engine's network for the steps of builds, such as host. Left out: its default."),
});

const accessTokens = z
  .array(
    strict({
      name: key
        .refine((name) => name !== ADMIN_NAME, { error: "another name: the admin token has this one" })
        .describe("Who has the token. The audit shows it."),
      role: oneOf(...ROLES).describe("viewer (reads), operator (also delivers, retries, cancels) or admin."),
      hash: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, { error: "the hash that `deliverd token` prints, never the token" })
        .describe("The hash of the token, as `deliverd token` prints it."),
    }),
    { error: "a list of tokens, as `deliverd token` prints them" },
  )
  .refine((tokens) => new Set(tokens.map(({ name }) => name)).size === tokens.length, {
    error: "a name for each token that no other has",
  });

/** The server's file. What is left out has its default; what has none is null. */
export function serverSchemaOf(types: ServerTypes) {
  return strict({
    publicUrl: orNull(webUrl).describe(
      "Where people and git hosts reach the server. Left out: http://localhost:<port>.",
    ),
    port: whole(0, 65_535).prefault(8080).describe("The port of webhooks, API and pages. Left out: 8080."),
    workerPort: whole(0, 65_535)
      .prefault(8081)
      .describe("The port of health and metrics of a `deliverd worker`. Left out: 8081."),
    trustProxy: trustProxy.describe(
      "Proxies whose X-Forwarded-For counts: their addresses, or their number. Left out: the header never counts.",
    ),
    dataDir: text
      .default("data")
      .describe("The folder of the ledger, the mirrors, the store and deliverd's own Redis. Left out: ./data."),
    redisUrl: orNull(serviceUrl(["redis", "rediss"], "redis://redis:6379")).describe(
      "The Redis of the queue. Left out: deliverd starts a redis-server of its own.",
    ),
    databaseUrl: orNull(serviceUrl(["postgres", "postgresql"], "postgres://deliverd@db/deliverd")).describe(
      "The PostgreSQL database of the ledger. Left out: SQLite in dataDir.",
    ),
    docker: docker.prefault({}).describe("The engine that builds, and the limits of its builds."),
    grace: duration.prefault("8s").describe("How long running work may take after SIGTERM. Left out: 8s."),
    hosts: z
      .record(key, types.hosts.schema, {
        error: "a map of git hosts, such as github: { type: github, webhookSecret: … }",
      })
      .refine((hosts) => Object.keys(hosts).length > 0, { error: "at least one git host" })
      .describe("Git hosts. The key of one is the path of its webhook: POST /webhooks/<key>."),
    registries: z
      .record(key, types.registries.schema, { error: "a map of registries, such as local: { type: oci, url: … }" })
      .default({})
      .describe("Artifact repositories. Pipelines name one by its key."),
    notices: z
      .array(types.notices.schema, { error: "a list of notices" })
      .default([])
      .describe("Who is told that a release is ready to deploy. Left out: nobody."),
    repos: z
      .array(repo, { error: "the list of repos that may be delivered, such as [acme/*]" })
      .min(1, { error: "at least one repo, such as acme/*" })
      .transform((repos) => repos.map((entry) => (typeof entry === "string" ? { match: entry, ...unbounded } : entry)))
      .describe("Which repos may be delivered, and how far. Of several entries that match, the most specific counts."),
    proof: strict({
      key: orNull(secret).describe(
        "The key that signs proofs: ECDSA P-256, PEM. Left out: made at the first start, in dataDir.",
      ),
      previousKey: orNull(secret).describe("The key that signed before, so that the new one can be followed to."),
      awsKms: orNull(
        text.regex(/^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/, {
          error: "the ARN of a key, such as arn:aws:kms:eu-west-1:123456789012:key/…",
        }),
      ).describe("The ARN of a key in AWS KMS that signs instead: ECC_NIST_P256, SIGN_VERIFY."),
    })
      .refine(({ key, awsKms }) => key === null || awsKms === null, { error: "key or awsKms, not both" })
      .prefault({})
      .describe("The key that signs proofs of releases."),
    adminToken: orNull(secret).describe("The administrator's token. Left out: made at the first start, in dataDir."),
    access: strict({
      tokens: accessTokens.default([]).describe("Tokens that open the server. Left out: only the admin token."),
    })
      .prefault({})
      .describe("Who may use the API and the pages besides the administrator."),
    anonymous: oneOf("none", "viewer")
      .default("none")
      .describe("What may be read without a token: none (nothing), or viewer (everything). Left out: none."),
    disk: strict({
      max: size.prefault("20GB").describe("Disk space for mirrors, store and build caches. Left out: 20GB."),
    })
      .prefault({})
      .describe("How much disk space deliverd may use."),
    workers: strict({
      slots: whole(1, 64).prefault(2).describe("Deliveries at once, and the weight of their builds. Left out: 2."),
    })
      .prefault({})
      .describe("How much a worker does at once."),
    prepare: oneOf("eager", "onGreen")
      .default("eager")
      .describe("When to build: eager (while CI still runs) or onGreen (after it). Left out: eager."),
  }).transform((file) => ({ ...file, repos: file.repos.map((entry) => withHost(entry, Object.keys(file.hosts))) }));
}

/** Only here both are known: which hosts there are, and what an entry of `repos` begins with. */
function withHost<Entry extends { match: string }>(entry: Entry, hosts: string[]): Entry & { host?: string } {
  const host = hostOfPattern(entry.match, hosts);
  return host === null ? entry : { ...entry, host };
}

export const serverSchema = serverSchemaOf(builtInTypes);

export type ServerFile = z.output<typeof serverSchema>;
