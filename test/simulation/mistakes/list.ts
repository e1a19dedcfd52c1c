import { LEDGER_AND_DOMAIN_MISTAKES } from "./ledger-and-domain.ts";
import { STATION_MISTAKES } from "./stations.ts";

/** Every mistake is found by its seed: test/simulation/mistakes.test.ts keeps that true. */
export const MISTAKES = [...STATION_MISTAKES, ...LEDGER_AND_DOMAIN_MISTAKES];
