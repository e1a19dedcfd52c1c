import { type HostExamples, keyOf, type WebhookExample } from "../support/hosts/examples/host-examples.ts";
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

/** An example, with whether deliverd takes it as it is. */
interface Seed {
  headers: Record<string, string>;
  payload: JsonObject;
  isTaken: boolean;
}

/** Makes the requests of a run for one type of host. */
export function caseMaker(host: HostExamples): (random: Random) => Case {
  const seeds = [
    ...host.table.map((each) => seedOf(each, !("malformed" in each.expected))),
    ...(host.more ?? []).map((each) => seedOf(each, true)),
  ];
  return (random) => nextCase(host, random.pick(seeds), random);
}

function seedOf({ headers, body }: Pick<WebhookExample, "headers" | "body">, isTaken: boolean): Seed {
  const payload: JsonObject = JSON.parse(JSON.stringify(body));
  return { headers, payload, isTaken };
}

/** Most are rightly signed, so that what they hold is read. */
function nextCase(host: HostExamples, { headers: named, payload, isTaken }: Seed, random: Random): Case {
  const path = `/webhooks/${keyOf(host)}`;
  const usual = { "content-type": "application/json", ...named };
  const changed = () => Buffer.from(mutated(payload, random, host.aims));
  const draw = random.next();
  if (draw < 0.06) return signed("an example", Buffer.from(JSON.stringify(payload)), [isTaken ? 202 : 400]);
  if (draw < 0.76) return signed("mutated", changed(), [202, 400]);
  if (draw < 0.82) return signed("spoilt bytes", spoilt(payload, random), [202, 400, 401]);
  if (draw < 0.83) return signed("large", padded(payload, random), [202, 400]);
  const body = random.chance(0.5) ? Buffer.from(JSON.stringify(payload)) : changed();
  return draw < 0.93 ? badlySigned(body) : oddHeaders(body);

  function signed(what: string, bytes: Buffer, expected: number[]): Case {
    return { what, method: "POST", path, headers: { ...usual, ...host.sign(bytes) }, body: bytes, expected };
  }

  function badlySigned(bytes: Buffer): Case {
    const right = host.sign(bytes);
    const signature = right[host.signatureHeader] ?? "";
    const digest = signature.replace(/^[^=,]*[=,]/, "");
    const other = host.sign(Buffer.concat([bytes, Buffer.from("\n")]));
    const wrong = random.pick<string | null>([
      null,
      "",
      signature.slice(0, signature.length - digest.length) || " ",
      signature.slice(0, -1 - random.below(digest.length - 1)),
      `${signature}00`,
      digest === signature ? `sha256=${digest}` : digest,
      other[host.signatureHeader] ?? "",
      signature.replace(digest, random.bytes(32).toString("hex")),
      signature.replace(digest, random.bytes(32).toString("base64")),
      signature.replace(digest, "\u00e9".repeat(64)),
      "x".repeat(4_000),
    ]);
    const { [host.signatureHeader]: _, ...others } = right;
    const headers = { ...usual, ...others, ...(wrong === null ? {} : { [host.signatureHeader]: wrong }) };
    return { what: "badly signed", method: "POST", path, headers, body: bytes, expected: [401] };
  }

  function oddHeaders(bytes: Buffer): Case {
    const good = signed("odd headers", bytes, [202, 400]);
    const withHeader = (key: string, value: string, expected: number[]): Case => {
      return { ...good, headers: { ...good.headers, [key]: value }, expected };
    };
    switch (random.below(8)) {
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
      case 3: {
        const elsewhere = random.pick(["/webhooks/__proto__", "/webhooks/nobody", path.toUpperCase()]);
        return { ...good, path: elsewhere, expected: [404] };
      }
      case 4:
        return { ...good, path: random.pick(["/webhooks/%", "/webhooks/%ff"]), expected: [400] };
      case 5: {
        const odd = random.pick(["", "__proto__", "constructor", "../../x", "{}", "p".repeat(5_000), "\u00e9"]);
        const names = Object.keys(named);
        return names.length === 0 ? good : withHeader(random.pick(names), odd, [202, 400]);
      }
      case 6:
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
