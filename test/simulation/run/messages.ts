import type { Scenario } from "./scenario.ts";

/** What a thread of simulations is asked: to run these scenarios, one after the other. */
export interface Order {
  scenarios: Scenario[];
  /** The name of the mistake that the code has; null: none. */
  planted: string | null;
}

/** The outcome of one run, as plain data. */
export interface Report {
  scenario: Scenario;
  problems: string[];
  hash: string;
  /** Only where something was wrong. */
  trace: string[];
  deliveries: number;
  kills: number;
  faults: number;
  /** Virtual ms. */
  time: number;
}
