/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of the code, with its templates. */
import type { Mistake } from "./mistake.ts";

/** Mistakes in `src/`. */
export const LEDGER_AND_DOMAIN_MISTAKES: Mistake[] = [
  {
    name: "hints that came during an attempt are done with it",
    file: "src/ledger/watermark.ts",
    find: "eb.not(isNews(eb, watermark))",
    put: 'eb("id", ">", 0)',
    as: "expression",
    seed: 37,
  },
  {
    name: "a newer status is marked as sent with the older one",
    file: "src/ledger/outbox.ts",
    find: '"revision", "=", revision',
    put: '"revision", ">", 0',
    as: "arguments",
    seed: 11,
  },
  {
    name: "each attempt sends its notice under another id",
    file: "src/delivery/cloud-events.ts",
    find: "`release-${release.id}`",
    put: "`release-${release.id}-${Math.random()}`",
    as: "expression",
    seed: 1,
  },
  {
    name: "a receiver answers before the inbox is committed",
    file: "src/receiver/inbox.ts",
    find: "await commit(hints);",
    put: "for (const entry of batch) entry.resolve(); await commit(hints);",
    as: "statement",
    seed: 37,
  },
  {
    name: "a delivery that another worker holds can be claimed",
    file: "src/ledger/leases.ts",
    find: "sql<boolean>`(cancel_requested = 0 or naming is not null)\n    and (lease_until is null or lease_until <= ${at}) and (retry_at is null or retry_at <= ${at})`",
    put: "sql<boolean>`(cancel_requested = 0 or naming is not null) and (retry_at is null or retry_at <= ${at})`",
    as: "expression",
    seed: 25,
  },
  {
    name: "a claim does not raise the fence",
    file: "src/ledger/leases.ts",
    find: 'eb("fence", "+", 1)',
    put: 'eb("fence", "+", 0)',
    as: "expression",
    seed: 1,
  },
  {
    name: "any CI is green",
    file: "src/delivery/gate.ts",
    find: 'if (failed.length > 0) return ["red", `${list("check", names(failed))} failed`];',
    put: "",
    as: "statement",
    seed: 2,
  },
];
