type Labels = Record<string, string>;

export interface Counter {
  add(labels?: Labels, by?: number): void;
}

export interface Metrics {
  counter(name: string, help: string): Counter;
  /** `read` is called for each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** The Prometheus text format, version 0.0.4. */
  text(): string;
}

/** Counters and gauges. Histograms and process metrics are left to tools that monitor containers. */
export function createMetrics(): Metrics {
  const families: { name: string; help: string; type: "counter" | "gauge"; samples: () => [string, number][] }[] = [];
  return {
    counter(name, help) {
      const values = new Map<string, number>();
      families.push({ name, help, type: "counter", samples: () => [...values] });
      return {
        add(labels = {}, by = 1) {
          const key = labelText(labels);
          values.set(key, (values.get(key) ?? 0) + by);
        },
      };
    },
    gauge(name, help, read) {
      families.push({ name, help, type: "gauge", samples: () => [["", read()]] });
    },
    text: () =>
      families
        .flatMap(({ name, help, type, samples }) => [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${type}`,
          ...samples().map(([labels, value]) => `${name}${labels} ${value}`),
        ])
        .map((line) => `${line}\n`)
        .join(""),
  };
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
