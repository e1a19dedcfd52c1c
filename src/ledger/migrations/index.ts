import type { Migration } from "kysely";
import * as tables from "./0001-tables.ts";
import * as sweep from "./0002-sweep.ts";
import * as files from "./0003-files.ts";
import * as order from "./0004-order.ts";
import * as lookups from "./0005-lookups.ts";
import * as hints from "./0006-hints.ts";
import * as names from "./0010-names.ts";
import * as history from "./0011-history.ts";
import * as outbox from "./0013-outbox.ts";
import * as looks from "./0014-looks.ts";
import * as orders from "./0015-orders.ts";
import * as pushedChecks from "./0016-pushed-checks.ts";
import * as catalog from "./0019-catalog.ts";
import * as proofs from "./0020-proofs.ts";

/** In the order of their names. A migration that has been released never changes. */
export const migrations: Record<string, Migration> = {
  "0001-tables": tables,
  "0002-sweep": sweep,
  "0003-files": files,
  "0004-order": order,
  "0005-lookups": lookups,
  "0006-hints": hints,
  "0010-names": names,
  "0011-history": history,
  "0013-outbox": outbox,
  "0014-looks": looks,
  "0015-orders": orders,
  "0016-pushed-checks": pushedChecks,
  "0019-catalog": catalog,
  "0020-proofs": proofs,
};
