import assert from "node:assert/strict";
import { stringify } from "yaml";
import type { Report } from "../../../src/hosts/host.ts";
import { type Delivery, findDelivery } from "../../../src/ledger/deliveries.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { listReleases } from "../../../src/ledger/releases.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import type { TestStation } from "./station.ts";

/** A pipeline of one file, `tool`, that goes to `files`. */
export function pipeline(more: Record<string, unknown> = {}, artifact: Record<string, unknown> = {}): string {
  const build = { image: "scratch", run: ["true"] };
  const tool = { name: "tool", kind: "file", build, files: "*", publish: [{ to: "files" }], ...artifact };
  return stringify({ version: 1, artifacts: [tool], ...more });
}

/** What tests of a station tell and ask, each in a line. */
export function storyOf(at: () => TestStation) {
  const look = (sha: string, ref: string | null = null) => evaluate(at().station, { repo: REPO, sha, ref });
  const deliver = () => deliverNext(at().station, new Set());
  const delivery = async (sha: string): Promise<Delivery> => {
    const found = await findDelivery(at().station.ledger, REPO, sha);
    assert.ok(found, `${sha} has a delivery`);
    return found;
  };
  return {
    look,
    deliver,
    delivery,
    /**
     * Looks at a commit, which was a branch's head, and delivers what is due.
     * @returns how it stands: `<state>: <because>`
     */
    async played(sha: string): Promise<string> {
      await recordHeads(at().station.ledger, REPO, [{ ref: "refs/heads/main", sha }]);
      await look(sha);
      await deliver();
      const { state, because } = await delivery(sha);
      return `${state}: ${because}`;
    },
    async stands(sha: string): Promise<string> {
      const { state, because } = await delivery(sha);
      return `${state}: ${because}`;
    },
    /** What the commit's page on the host will say. */
    async status(sha: string): Promise<string | null> {
      const rows = (await outboxOfCommit(at().station.ledger, REPO, sha)).filter(({ kind }) => kind === "status");
      const reports = rows.map(({ payload }) => payload as Report);
      const said = reports.find(({ context }) => context !== "deliverd") ?? reports[0];
      return said === undefined ? null : `${said.state}: ${said.description}`;
    },
    async releases(sha?: string): Promise<string[]> {
      const { items } = await listReleases(at().station.ledger, { repoId: REPO, sha, limit: 100 });
      return items.map((release) => release.sha);
    },
  };
}
