import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { JsonObject } from "../support/hosts/github/json.ts";
import { mutated } from "./mutate.ts";
import type { Random } from "./random.ts";

/** One request at the webhook endpoint, and the answers that it may get. */
export interface Case {
  what: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
  /** Statuses. */
  expected: number[];
}

interface Example {
  name: string;
  examples: JsonObject[];
}

const examples: Example[] = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/api.github.com/index.json"), "utf8"),
);
/** Those that are read beyond their name. */
const READ = ["push", "create", "status", "check_run", "check_suite", "workflow_run"];
const readExamples = examples.filter(({ name }) => READ.includes(name));

export function sign(body: Buffer, secret: string, algorithm = "sha256"): string {
  return `${algorithm}=${createHmac(algorithm, secret).update(body).digest("hex")}`;
}

/** The next request of a run. Most are rightly signed, so that what they hold is read. */
export function nextCase(random: Random, secret: string): Case {
  const { name, examples: payloads } = random.pick(random.chance(0.8) ? readExamples : examples);
  const payload = random.pick(payloads);
  const draw = random.next();
  if (draw < 0.06) return signed("GitHub's own example", name, Buffer.from(JSON.stringify(payload)), [202]);
  if (draw < 0.76) return signed("mutated", name, Buffer.from(mutated(payload, random)), [202, 400]);
  if (draw < 0.82) return signed("spoilt bytes", name, spoilt(payload, random), [202, 400, 401]);
  if (draw < 0.83) return signed("large", name, padded(payload, random), [202, 400]);
  const body = Buffer.from(random.chance(0.5) ? JSON.stringify(payload) : mutated(payload, random));
  return draw < 0.93 ? badlySigned(name, body) : oddHeaders(name, body);

  function signed(what: string, event: string, bytes: Buffer, expected: number[]): Case {
    const headers = { ...usual(event, random), "x-hub-signature-256": sign(bytes, secret) };
    return { what, method: "POST", path: "/webhooks/github", headers, body: bytes, expected };
  }

  function badlySigned(event: string, bytes: Buffer): Case {
    const right = sign(bytes, secret);
    const signature = random.pick<Record<string, string>>([
      {},
      { "x-hub-signature": sign(bytes, secret, "sha1") },
      { "x-hub-signature-256": "" },
      { "x-hub-signature-256": "sha256=" },
      { "x-hub-signature-256": right.slice(0, 7 + random.below(64)) },
      { "x-hub-signature-256": `${right}00` },
      { "x-hub-signature-256": right.slice("sha256=".length) },
      { "x-hub-signature-256": sign(bytes, secret, "sha1") },
      { "x-hub-signature-256": right.replace("sha256=", "sha1=") },
      { "x-hub-signature-256": sign(bytes, `${secret} `) },
      { "x-hub-signature-256": sign(bytes, "") },
      { "x-hub-signature-256": sign(Buffer.concat([bytes, Buffer.from("\n")]), secret) },
      { "x-hub-signature-256": `sha256=${random.bytes(32).toString("hex")}` },
      { "x-hub-signature-256": `sha256=${"\u00e9".repeat(64)}` },
      { "x-hub-signature-256": "x".repeat(4_000) },
    ]);
    const headers = { ...usual(event, random), ...signature };
    return { what: "badly signed", method: "POST", path: "/webhooks/github", headers, body: bytes, expected: [401] };
  }

  function oddHeaders(event: string, bytes: Buffer): Case {
    const good = signed("odd headers", event, bytes, [202, 400]);
    const withHeader = (key: string, value: string, expected: number[]): Case => {
      return { ...good, headers: { ...good.headers, [key]: value }, expected };
    };
    switch (random.below(9)) {
      case 0:
        return withHeader(
          "content-type",
          random.pick(["text/plain", "application/x-www-form-urlencoded", "\u00ff"]),
          [415],
        );
      case 1:
        return withHeader("content-encoding", random.pick(["gzip", "br", "identity, gzip"]), [415]);
      case 2:
        return { ...good, method: random.pick(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]), expected: [405] };
      case 3:
        return {
          ...good,
          path: random.pick(["/webhooks/__proto__", "/webhooks/gitlab", "/webhooks/GITHUB"]),
          expected: [404],
        };
      case 4:
        return { ...good, path: random.pick(["/webhooks/%", "/webhooks/%ff"]), expected: [400] };
      case 5:
        return withHeader(
          "x-github-event",
          random.pick(["", "__proto__", "constructor", "p".repeat(5_000), "\u00e9"]),
          [202, 400],
        );
      case 6:
        return withHeader("x-github-delivery", random.pick(["", "\u00e9".repeat(5_000), "../../x", "{}"]), [202, 400]);
      case 7:
        return withHeader("x-filler", "x".repeat(40_000), [431, 0]);
      default:
        return withHeader(
          "content-type",
          random.pick(["application/json; charset=utf-7", "APPLICATION/JSON"]),
          [202, 400],
        );
    }
  }
}

function usual(event: string, random: Random): Record<string, string> {
  return {
    "content-type": "application/json",
    "user-agent": "GitHub-Hookshot/5a9f8d1",
    "x-github-event": event,
    "x-github-delivery": random.bytes(16).toString("hex"),
  };
}

/** Random bytes, a text cut off, bits turned, a byte order mark, another encoding. */
function spoilt(payload: JsonObject, random: Random): Buffer {
  const bytes = Buffer.from(JSON.stringify(payload));
  switch (random.below(6)) {
    case 0:
      return random.bytes(random.below(2_000));
    case 1:
      return bytes.subarray(0, random.below(bytes.length));
    case 2:
      for (let count = 1 + random.below(20); count > 0; count -= 1)
        bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    case 3:
      return Buffer.concat([Buffer.from("\ufeff"), bytes]);
    case 4:
      return Buffer.from(bytes.toString(), "utf16le");
    default:
      return Buffer.from(
        random.pick(["", "null", "0", '""', "[]", "{}", "NaN", "{'a':1}", "\u0000", "[".repeat(100_000)]),
      );
  }
}

function padded(payload: JsonObject, random: Random): Buffer {
  return Buffer.from(JSON.stringify({ ...payload, padding: "x".repeat(300_000 + random.below(1_700_000)) }));
}
