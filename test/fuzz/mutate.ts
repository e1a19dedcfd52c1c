import type { Json, JsonObject } from "../support/hosts/github/json.ts";
import { isObject } from "../support/hosts/github/json.ts";
import type { Random } from "./random.ts";

/** Paths where a receiver reads: harm aimed there goes deeper than anywhere else. */
type Aims = readonly (readonly string[])[];

const TEXTS = [
  "",
  " ",
  ".",
  "..",
  "../../../etc/passwd",
  "a/b",
  "%2e%2e%2f",
  "-u",
  "--upload-pack=touch canary",
  "ext::sh -c touch% canary",
  "$(touch canary)",
  "`id`",
  "'; drop table hints; --",
  "http://169.254.169.254/latest/meta-data",
  "refs/heads/\u0000main",
  "refs/heads/main\r\nx-evil: 1",
  "\u001b[2J\u001b]0;owned\u0007",
  "\u202etxt.exe",
  "\ud800",
  "\udfff\ud800",
  "\u2028\u2029",
  "İstanbul ß ﬁ 🜁 e\u0301",
  "*".repeat(200),
  "(a+)+$",
  "<script>alert(1)</script>",
  "{{constructor.constructor('return process')()}}",
  "__proto__",
  "0".repeat(40),
  "g".repeat(40),
  "A".repeat(64),
  "f".repeat(39),
];

const NUMBERS = [
  "1e999",
  "-1e999",
  "1e-999",
  "-0",
  "9007199254740993",
  "9".repeat(400),
  "2147483648",
  "-1",
  "1.5",
  "0",
];

const DEPTHS = [10, 1_000, 10_000, 100_000];
const LENGTHS = [300, 1_025, 20_000, 100_000];

/** Pieces of text that are no value of JSON.stringify's: put in for their markers once the rest is text. */
class Raw {
  readonly #texts: string[] = [];

  value(text: string): string {
    this.#texts.push(text);
    return `@@raw${this.#texts.length - 1}@@`;
  }

  /** A whole `"key": value`, to be set as a key whose value is 0. */
  pair = (text: string): string => this.value(text);

  into(text: string): string {
    return text.replace(/"@@raw(\d+)@@"(:0)?/g, (_, index: string) => this.#texts[Number(index)] ?? "null");
  }
}

/** The payload with a few things wrong in it, as text. It may no longer be JSON. */
export function mutated(payload: JsonObject, random: Random, aims: Aims): string {
  const copy = structuredClone(payload);
  const raw = new Raw();
  for (let count = 1 + random.below(3); count > 0; count -= 1) mutateOnce(copy, random, aims, raw);
  return raw.into(JSON.stringify(copy));
}

function mutateOnce(payload: JsonObject, random: Random, aims: Aims, raw: Raw): void {
  const [holder, key] = random.chance(0.6) ? aimed(payload, random, aims) : anywhere(payload, random);
  const old = holder[key] ?? null;
  const kind = random.below(12);
  if (kind === 0) delete holder[key];
  else if (kind === 1) holder[key] = random.pick<Json>([null, true, false, 0, "", "x", [], {}, [old], { a: old }]);
  else if (kind === 2) holder[key] = raw.value(random.pick(NUMBERS));
  else if (kind === 3) holder[key] = raw.value(nested(random.pick(DEPTHS), random.chance(0.5)));
  else if (kind === 4) holder[key] = random.pick(["a", "é", "🜁", "/", "\u0000", '"', "*"]).repeat(random.pick(LENGTHS));
  else if (kind === 5) holder[raw.pair(`"__proto__":{"polluted":true,"sha":"x"}`)] = 0;
  else if (kind === 6) holder[raw.pair(`"constructor":{"prototype":{"polluted":true}}`)] = 0;
  else if (kind === 7) holder[raw.pair(`${JSON.stringify(key)}:${JSON.stringify(random.pick(TEXTS))}`)] = 0;
  else if (kind === 8)
    holder[key] = Array<Json>(random.pick([2, 20, 5_000])).fill(random.pick<Json>([0, "x", null, [], {}]));
  else if (kind === 9) for (let index = 0; index < 2_000; index += 1) holder[`k${index}`] = index;
  else holder[key] = (random.chance(0.3) && typeof old === "string" ? old : "") + random.pick(TEXTS);
}

function aimed(payload: JsonObject, random: Random, aims: Aims): [JsonObject, string] {
  const path = random.pick(aims);
  let holder = payload;
  for (const key of path.slice(0, -1)) {
    const next = holder[key];
    if (!isObject(next)) return [holder, key];
    holder = next;
  }
  return [holder, path.at(-1) ?? ""];
}

function anywhere(payload: JsonObject, random: Random): [JsonObject, string] {
  let holder = payload;
  for (;;) {
    const keys = Object.keys(holder);
    if (keys.length === 0) return [holder, "new"];
    const key = random.pick(keys);
    const next = holder[key];
    if (!isObject(next) || random.chance(0.3)) return [holder, key];
    holder = next;
  }
}

function nested(depth: number, inMaps: boolean): string {
  return inMaps ? `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}` : "[".repeat(depth) + "]".repeat(depth);
}
