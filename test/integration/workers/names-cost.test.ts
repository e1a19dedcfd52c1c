import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Delivery, findDelivery } from "../../../src/ledger/deliveries.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { reconcileNames } from "../../../workers/names/reconcile-names.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { startStation, type TestStation } from "./station.ts";

const COMMITS = 20_000;
const BRANCHES = 200;

/** A history of so many commits, and branches that leave it all along, as `git fast-import` reads it. */
function history(): string {
  const commit = (ref: string, mark: number, from: string) =>
    `commit ${ref}\nmark :${mark}\ncommitter A <a@example.com> ${1_700_000_000 + mark} +0000\ndata 1\nx\nfrom ${from}\n`;
  const main = Array.from({ length: COMMITS }, (_, i) =>
    commit("refs/heads/main", i + 1, i === 0 ? "refs/heads/main^0" : `:${i}`),
  );
  const branches = Array.from({ length: BRANCHES }, (_, i) =>
    commit(`refs/heads/b${i}`, COMMITS + 1 + i, `:${COMMITS - i * 90}`),
  );
  return [...main, ...branches].join("\n");
}

describe(`The moving names of ${COMMITS} commits on ${BRANCHES} branches`, function () {
  this.timeout(180_000);
  let at: TestStation;
  let dir: TempDir;
  const path = process.env.PATH;

  before(async () => {
    at = await startStation();
    dir = await tempDir();
    // Each git tells what it was asked, and a walk besides what it printed.
    const bin = join(dir.path, "bin");
    await mkdir(bin);
    const log = join(dir.path, "calls");
    const walk = `if [ "$1" = rev-list ]; then set -o pipefail; PATH='${path}' git "$@" | tee -a ${log}.walked; exit; fi`;
    await writeFile(join(bin, "git"), `#!/bin/bash\necho "$1" >> ${log}\n${walk}\nPATH='${path}' exec git "$@"\n`);
    await chmod(join(bin, "git"), 0o755);
    process.env.PATH = `${bin}:${path}`;
  });
  after(async () => {
    process.env.PATH = path;
    await at.close();
    await dir.remove();
  });

  async function deliver(sha: string): Promise<Delivery | null> {
    await evaluate(at.station, { repo: REPO, sha, ref: null });
    await deliverNext(at.station, new Set());
    return findDelivery(at.station.ledger, REPO, sha);
  }
  const linesOf = async (file: string) =>
    (await readFile(join(dir.path, file), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

  it("take one walk of the history, which reads each commit once", async () => {
    const publish = [{ to: "local", as: "acme/api", tags: ["{version}", "{branch}", "latest", "day-{date}"] }];
    const on = { branches: ["**"], tags: ["**"] };
    const pipeline = stringify({ version: 1, ci: "none", on, artifacts: [{ name: "api", kind: "image", publish }] });
    const first = await at.repo.commit({ Dockerfile: "FROM scratch\n", ".deliverd.yml": pipeline });
    assert.equal((await deliver(first))?.state, "delivered");
    execFileSync("git", ["-C", at.repo.bare, "fast-import", "--quiet", "--force"], { input: history() });
    const tip = await at.repo.git(["ls-remote", at.repo.bare, "refs/heads/main"]);
    const newest = tip.split("\t")[0] ?? "";
    assert.equal((await deliver(newest))?.state, "delivered");

    await Promise.all(["calls", "calls.walked"].map((file) => writeFile(join(dir.path, file), "")));
    await reconcileNames(at.station, { repo: REPO, artifact: "api" });
    const calls = (await linesOf("calls")).filter((verb) => verb !== "cat-file");
    const walked = await linesOf("calls.walked");
    assert.ok(calls.length <= 2, `git ran ${calls.join(", ")}`);
    assert.ok(walked.length <= COMMITS + BRANCHES + 1, `${walked.length} commits were read`);
    // Two versions and the days they are of, main, latest, and each branch.
    assert.equal(at.registries.local.names.size, 2 + 2 + 1 + 1 + BRANCHES);

    // And nothing at all where nothing moved since.
    await writeFile(join(dir.path, "calls"), "");
    await reconcileNames(at.station, { repo: REPO, artifact: "api" });
    assert.deepEqual(
      (await linesOf("calls")).filter((verb) => verb === "rev-list"),
      [],
    );
  });
});
