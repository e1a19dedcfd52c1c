/**
 * Places at which a test can kill the process, as SIGKILL does. They do nothing unless DELIVERD_FAILPOINTS is set when
 * the process starts: each place costs one call of an empty function.
 * `DELIVERD_FAILPOINTS=release.pinned` kills the first time that place is passed; `release.pinned:3` the third time;
 * `*:p=0.05:seed=7` at any place with that chance, the same places for the same seed; `release.*` at any of these.
 * Several, separated by commas.
 * A name is `<part>.<what was just done>`. Those of a delivery stand in workers/deliver/line.ts;
 * docs/explanation/crashes.md has all of them, and a test holds it to the code.
 */
export type Failpoint = `${string}.${string}`;

const rules = process.env.DELIVERD_FAILPOINTS;

export const failpoint: (name: Failpoint) => void = rules === undefined || rules === "" ? () => {} : killer(rules);

function killer(text: string): (name: Failpoint) => void {
  const checks = text.split(",").map(parse);
  return (name) => {
    if (!checks.some((check) => check(name))) return;
    process.stderr.write(`failpoint ${name}\n`);
    process.kill(process.pid, "SIGKILL");
  };
}

function parse(rule: string): (name: Failpoint) => boolean {
  const [place = "", ...words] = rule.split(":");
  const chance = words.find((word) => word.startsWith("p="));
  const isPlace = (name: Failpoint) => (place.endsWith("*") ? name.startsWith(place.slice(0, -1)) : place === name);
  if (chance !== undefined) {
    const random = generator(Number(words.find((word) => word.startsWith("seed="))?.slice(5) ?? 1));
    return (name) => isPlace(name) && random() < Number(chance.slice(2));
  }
  let left = Number(words[0] ?? 1);
  return (name) => {
    if (isPlace(name)) left -= 1;
    return isPlace(name) && left === 0;
  };
}

/** Mulberry32: small, and the same numbers for the same seed everywhere. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
