import * as z from "zod";
import { didYouMean } from "../delivery/did-you-mean.ts";

type Issue = z.core.$ZodIssue;

/**
 * What no part of a server's file can know by itself: keys that name other keys, and entries that stand twice. It reads
 * data that the schema may have refused, so that a person is told of these problems together with all others.
 */
export function crossProblems(data: unknown): z.ZodError {
  const file = fieldsOf(data);
  const registries = Object.keys(fieldsOf(file.registries));
  return new z.ZodError([
    ...unknownRegistries(listOf(file.repos), registries),
    ...reposTwice(listOf(file.repos)),
    ...severalDefaults(fieldsOf(file.registries)),
    ...noticesTwice(listOf(file.notices)),
    ...buildKitOnly(fieldsOf(file.docker)),
  ]);
}

/** Docker is reached by its socket or DOCKER_HOST. A BuildKit has no networks of Docker. */
function buildKitOnly({ kind, url, tls, network }: Record<string, unknown>): Issue[] {
  const given = { url, tls };
  if (kind !== "buildkit")
    return Object.entries(given).flatMap(([key, value]) =>
      value === undefined || value === null ? [] : [problem(["docker", key], "this key only with kind: buildkit")],
    );
  const isKnown = network === undefined || network === null || network === "none" || network === "host";
  return [
    ...(isKnown ? [] : [problem(["docker", "network"], "none or host, the networks of a BuildKit")]),
    ...(tls && !String(url).startsWith("tcp:") ? [problem(["docker", "tls"], "a url with tcp:// beside it")] : []),
  ];
}

function unknownRegistries(repos: unknown[], known: string[]): Issue[] {
  return repos.flatMap((entry, index) =>
    listOf(fieldsOf(entry).registries).flatMap((name, place) => {
      if (typeof name !== "string" || known.includes(name)) return [];
      const message = `a key of registries${didYouMean(name, known)}: ${known.join(", ") || "none is configured"}`;
      return [problem(["repos", index, "registries", place], message)];
    }),
  );
}

function reposTwice(repos: unknown[]): Issue[] {
  const matches = repos.map((entry) => (typeof entry === "string" ? entry : fieldsOf(entry).match));
  return matches.flatMap((match, index) => {
    if (typeof match !== "string") return [];
    const first = matches.findIndex(
      (other) => typeof other === "string" && other.toLowerCase() === match.toLowerCase(),
    );
    return first < index ? [problem(["repos", index], `each repo once; ${match} is above already`)] : [];
  });
}

function severalDefaults(registries: Record<string, unknown>): Issue[] {
  const defaults = Object.values(registries).filter((entry) => fieldsOf(entry).default === true);
  return defaults.length > 1 ? [problem(["registries"], "at most one registry with default: true")] : [];
}

/** One receiver is one URL, because only one secret can sign. */
function noticesTwice(notices: unknown[]): Issue[] {
  const urls = notices.map((entry) => fieldsOf(entry).url).map((url) => canonical(url) ?? null);
  return urls.flatMap((url, index) => {
    if (url === null || urls.indexOf(url) === index) return [];
    const first = urls.indexOf(url);
    return [
      problem(["notices", index, "url"], `each URL once; notices[${first}] has the same one, with the same query`),
    ];
  });
}

function canonical(url: unknown): string | null {
  return typeof url === "string" && URL.canParse(url) ? new URL(url.replace(/\/+$/, "")).href : null;
}

function problem(path: (string | number)[], message: string): Issue {
  return { code: "custom", path, message, input: undefined };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
