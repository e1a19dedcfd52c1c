import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { findDelivery } from "../../../src/ledger/deliveries.ts";
import { locationsOfDelivery } from "../../../src/ledger/locations.ts";
import { listReleases } from "../../../src/ledger/releases.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { startStation, type TestStation } from "./station.ts";

const build = { image: "scratch", run: ["true"] };
const PIPELINE = stringify({
  version: 1,
  ci: "none",
  artifacts: [
    { name: "hello", kind: "npm", build, files: "*.tgz", publish: [{ to: "npm" }, { to: "files" }] },
    { name: "tool", kind: "file", build, files: "*", publish: [{ to: "files", as: "tools/{repo}" }] },
  ],
});

describe("A delivery of a package and of plain files", function () {
  this.timeout(60_000);
  let at: TestStation;
  let sha: string;
  let version: string;

  beforeEach(async () => {
    at = await startStation();
    sha = await at.repo.commit({ ".deliverd.yml": PIPELINE });
    version = `0.0.1-1.g${sha.slice(0, 7)}`;
  });
  afterEach(() => at.close());

  /** Looks at the commit as after a webhook, and delivers it where that says so. @returns the state */
  async function hinted(): Promise<string> {
    await evaluate(at.station, { repo: REPO, sha, ref: null });
    const delivery = await findDelivery(at.station.ledger, REPO, sha);
    if (delivery?.state === "queued") await deliverNext(at.station, new Set());
    const now = await findDelivery(at.station.ledger, REPO, sha);
    return `${now?.state}: ${now?.because}`;
  }
  const names = (registry: "npm" | "files") => [...at.registries[registry].names.keys()].sort();
  const releases = async () => (await listReleases(at.station.ledger, { repoId: REPO, sha, limit: 10 })).items;

  it("fails as the user's error if the commit has no valid committer date", async () => {
    for (const date of ["18446744073709551616 +0000", "8640000000001 +0000", "-5 +0000", "soon"]) {
      const tree = await at.repo.git(["rev-parse", "HEAD^{tree}"]);
      const file = join(at.repo.path, ".git", "crafted-commit");
      await writeFile(
        file,
        `tree ${tree}\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> ${date}\n\n${date}\n`,
      );
      sha = await at.repo.git(["hash-object", "-t", "commit", "-w", "--literally", file]);
      await at.repo.git(["update-ref", "refs/heads/main", sha]);
      await at.repo.push();
      assert.match(await hinted(), new RegExp(`^failed: The commit ${sha} has no committer date`), date);
    }
    assert.deepEqual([names("npm"), at.built], [[], []]);
  });

  it("gives each artifact the name of its kind, and passes on the facts of the release", async () => {
    assert.equal(await hinted(), `delivered: released ${version}`);
    assert.deepEqual(names("npm"), [`@acme/hello:${version}`]);
    // A plain store knows paths alone.
    assert.deepEqual(names("files"), [`acme/api/hello:${version}`, `tools/api/tool:${version}`]);
    const tool = at.registries.files.names.get(`tools/api/tool:${version}`);
    assert.equal(tool?.kind, "file");
    assert.deepEqual(
      tool?.files?.map((file) => file.name),
      ["NOTICE", "tool.bin"],
    );
    assert.equal(tool?.metadata["org.opencontainers.image.revision"], sha);
    assert.equal(tool?.metadata["org.opencontainers.image.version"], version);
    const [hello] = (await releases()).filter((release) => release.artifact === "hello");
    assert.match(String(hello?.parts), /"package":\{"name":"@acme\/hello"/);
  });

  it("builds a package again under a later version tag, and gives plain files one more name", async () => {
    await hinted();
    assert.equal(await hinted(), `delivered: released ${version}`);
    assert.deepEqual(at.built, [`hello ${version}`, `tool ${version}`]);

    await at.repo.git(["tag", "v1.2.0"]);
    await at.repo.push();
    assert.match(await hinted(), /^delivered: released .*1\.2\.0/);
    assert.deepEqual(at.built, [`hello ${version}`, `tool ${version}`, "hello 1.2.0"]);
    assert.deepEqual(names("npm"), [`@acme/hello:${version}`, "@acme/hello:1.2.0"].sort());
    assert.deepEqual(
      names("files"),
      [version, "1.2.0"].flatMap((each) => [`acme/api/hello:${each}`, `tools/api/tool:${each}`]).sort(),
    );
    const { names: held } = at.registries.files;
    assert.equal(held.get("tools/api/tool:1.2.0")?.digest, held.get(`tools/api/tool:${version}`)?.digest);
    assert.notEqual(held.get("acme/api/hello:1.2.0")?.digest, held.get(`acme/api/hello:${version}`)?.digest);

    const made = (await releases()).map((release) => [release.artifact, release.versions]).sort();
    assert.deepEqual(
      made,
      [
        ["hello", ["1.2.0"]],
        ["hello", [version]],
        ["tool", [version, "1.2.0"]],
      ].sort(),
    );
    // And now nothing is owed any more.
    const before = at.registries.files.published.length;
    await hinted();
    assert.deepEqual([at.built.length, at.registries.files.published.length], [3, before]);
  });

  it("continues between two names without a second build or write", async () => {
    const { npm, files } = at.registries;
    const { publish } = files;
    files.publish = async (content, name, run) => {
      if (name.repository.startsWith("acme/")) throw new Error("the worker was killed");
      return publish.call(files, content, name, run);
    };
    assert.match(await hinted(), /^queued: .*the worker was killed/);
    assert.deepEqual([names("npm").length, names("files").length], [1, 1]);
    files.publish = publish;
    const { id } = (await findDelivery(at.station.ledger, REPO, sha)) ?? { id: "" };
    await at.station.ledger.db.updateTable("deliveries").set({ retryAt: null }).where("id", "=", id).execute();
    assert.equal(await hinted(), `delivered: released ${version}`);
    assert.deepEqual(at.built, [`hello ${version}`, `tool ${version}`]);
    assert.deepEqual([npm.published.length, files.published.length], [1, 2]);
    assert.equal((await locationsOfDelivery(at.station.ledger, id)).length, 3);
  });

  it("fails before any name is written if a package has another name than `as` says", async () => {
    const odd = PIPELINE.replace("to: npm", "to: npm\n        as: '@acme/other'");
    sha = await at.repo.commit({ ".deliverd.yml": odd });
    assert.match(
      await hinted(),
      /^failed: artifact "hello" has the name @acme\/hello inside, but `as` .* says @acme\/other/,
    );
    assert.deepEqual([...names("npm"), ...names("files")], []);
  });
});
