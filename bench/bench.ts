import type { Row } from "./row.ts";

/** What every row is handed. */
export interface Bench {
  rounds: number;
  /** Progress, for the person who waits. */
  say(line: string): void;
}

/** Measures one or several rows that share their set-up. */
export type Measure = (bench: Bench) => Promise<Row[]>;

/**
 * Runs everything once a round, beginning with another one each time, so that whatever slows the machine for a while meets all alike.
 * @returns each one's figures by name, in the order of the rounds
 */
export async function alternate<Figure>(
  bench: Bench,
  contenders: Record<string, (round: number) => Promise<Figure>>,
): Promise<Record<string, Figure[]>> {
  const names = Object.keys(contenders);
  const figures: Record<string, Figure[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < bench.rounds; round++) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const figure = await contenders[name]?.(round);
      if (figure === undefined) continue;
      figures[name]?.push(figure);
      bench.say(`round ${round + 1} of ${bench.rounds}: ${name} ${JSON.stringify(figure)}`);
    }
  }
  return figures;
}

/** What was opened is closed in the reverse order, whatever happens in between. */
export async function withOpened<T>(
  work: (open: <One>(start: Promise<One>, stop: (one: One) => Promise<unknown>) => Promise<One>) => Promise<T>,
): Promise<T> {
  const opened: (() => Promise<unknown>)[] = [];
  try {
    return await work(async (start, stop) => {
      const one = await start;
      opened.push(() => stop(one));
      return one;
    });
  } finally {
    for (const close of opened.reverse()) await close();
  }
}
