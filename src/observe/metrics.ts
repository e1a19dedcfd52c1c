export type Labels = Record<string, string>;

export interface Counter {
  add(labels?: Labels, by?: number): void;
}

export interface Histogram {
  observe(labels: Labels, value: number): void;
}

/** What a gauge reads: one number, numbers with labels, or nothing (null) if it is not known now. */
export type Reading = number | null | readonly (readonly [Labels, number])[];

export interface Metrics {
  /** @param read called for each scrape, for a count that something else keeps */
  counter(name: string, help: string, read?: () => Reading): Counter;
  /** `read` is called for each scrape. If it fails, the gauge has no sample. */
  gauge(name: string, help: string, read: () => Reading | Promise<Reading>): void;
  /** @param buckets upper bounds, ascending */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** The Prometheus text format, version 0.0.4. */
  text(): Promise<string>;
}

/** A suffix of the metric's name, the labels, and the value. */
type Sample = readonly [suffix: string, labels: string, value: number];

interface Family {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  samples(): Sample[] | Promise<Sample[]>;
}

/** A gauge that reads for longer (ms) has no sample: the other metrics must not wait for a database that hangs. */
const READ_LIMIT_MS = 2_000;

/** The metrics of one process. docs/reference/metrics.md lists all of them. */
export function createMetrics(): Metrics {
  const families: Family[] = [];
  return {
    counter(name, help, read) {
      const values = new Map<string, number>();
      const own = (): Sample[] => [...values].map(([labels, value]) => ["", labels, value]);
      const samples = read === undefined ? own : () => samplesOf(read());
      families.push({ name, help, type: "counter", samples });
      return {
        add(labels = {}, by = 1) {
          const key = labelText(labels);
          values.set(key, (values.get(key) ?? 0) + by);
        },
      };
    },
    gauge(name, help, read) {
      families.push({ name, help, type: "gauge", samples: async () => samplesOf(await readInTime(read)) });
    },
    histogram(name, help, buckets) {
      const distributions = new Map<string, Distribution>();
      const samples = () => [...distributions.values()].flatMap((each) => each.samples());
      families.push({ name, help, type: "histogram", samples });
      return {
        observe(labels, value) {
          const key = labelText(labels);
          const known = distributions.get(key) ?? new Distribution(labels, buckets);
          distributions.set(key, known);
          known.add(value);
        },
      };
    },
    async text() {
      return (await Promise.all(families.map(familyText))).join("");
    },
  };
}

/** The values of one histogram with the same labels. */
class Distribution {
  readonly #labels: Labels;
  readonly #buckets: readonly number[];
  /** The values that belong to each bucket and to no smaller one. */
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(labels: Labels, buckets: readonly number[]) {
    this.#labels = labels;
    this.#buckets = buckets;
    this.#counts = buckets.map(() => 0);
  }

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    const at = this.#buckets.findIndex((bound) => value <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  samples(): Sample[] {
    let below = 0;
    const bounded = this.#buckets.map((bound, at): Sample => {
      below += this.#counts[at] ?? 0;
      return ["_bucket", labelText({ ...this.#labels, le: String(bound) }), below];
    });
    const labels = labelText(this.#labels);
    return [
      ...bounded,
      ["_bucket", labelText({ ...this.#labels, le: "+Inf" }), this.#count],
      ["_sum", labels, this.#sum],
      ["_count", labels, this.#count],
    ];
  }
}

async function readInTime(read: () => Reading | Promise<Reading>): Promise<Reading> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), READ_LIMIT_MS).unref();
  });
  try {
    return await Promise.race([read(), limit]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

function samplesOf(reading: Reading): Sample[] {
  if (reading === null) return [];
  if (typeof reading === "number") return [["", "", reading]];
  return reading.map(([labels, value]) => ["", labelText(labels), value]);
}

async function familyText({ name, help, type, samples }: Family): Promise<string> {
  const lines = (await samples()).map(([suffix, labels, value]) => `${name}${suffix}${labels} ${numberText(value)}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** The format knows these three escapes, and no other. */
function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
