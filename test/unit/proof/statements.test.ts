import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Evidence, evidenceOf } from "../../../src/delivery/proof/evidence.ts";
import { pipelineFile } from "../../../src/delivery/proof/facts.ts";
import { type Provenance, provenanceOf } from "../../../src/delivery/proof/provenance.ts";
import { type Statement, statementBytes, subjectsOf } from "../../../src/delivery/proof/statement.ts";
import { statementsOf } from "../../../src/delivery/proof/statements.ts";
import { testResultOf } from "../../../src/delivery/proof/test-result.ts";
import type { Check, Gate } from "../../../src/delivery/types.ts";
import { check, facts, IMAGE, SHA } from "../../support/fixtures/proofs.ts";

const ciOf = (statement: Statement | undefined) =>
  (statement as Statement<Provenance> | undefined)?.predicate.buildDefinition.internalParameters.ci;
const hex = (digit: string) => digit.repeat(64);

describe("the statements about a release", () => {
  it("are the same to the byte for the same facts, and equal the recorded ones", () => {
    const lines = statementsOf(facts()).map((each) => `${statementBytes(each)}\n`);
    assert.equal(lines.join(""), readFileSync(new URL("statements.golden.jsonl", import.meta.url), "utf8"));
  });

  it("are about the manifest of an image, under the artifact's own name", () => {
    assert.deepEqual(subjectsOf("api", { digest: IMAGE }), [{ name: "api", digest: { sha256: hex("1") } }]);
  });

  it("are about each file of an artifact of files", () => {
    const files = ["a", "b"].map((name) => ({ name: `${name}.tgz`, digest: `sha256:${hex(name)}`, size: 1 }));
    assert.deepEqual(subjectsOf("client", { digest: IMAGE, files }), [
      { name: "a.tgz", digest: { sha256: hex("a") } },
      { name: "b.tgz", digest: { sha256: hex("b") } },
    ]);
  });

  it("leave the test result out where no CI was asked for, and the provenance says so", () => {
    const { evidence } = facts();
    assert.ok(evidence);
    const none: Evidence = { ...evidence, gate: { ci: "none", required: [], apps: null }, checks: [] };
    const [provenance, ...others] = statementsOf(facts({ evidence: none }));
    assert.deepEqual(others, []);
    assert.equal(ciOf(provenance), "none");
  });

  it("leave the test result out where no evidence was kept, and do not say that no CI was asked for", () => {
    const [provenance, ...others] = statementsOf(facts({ evidence: null }));
    assert.deepEqual(others, []);
    assert.equal(ciOf(provenance), "unknown");
  });
});

describe("a provenance", () => {
  it("names the commit, the pipeline file and the bases by their digests", () => {
    const { resolvedDependencies } = provenanceOf(facts()).predicate.buildDefinition;
    assert.deepEqual(
      resolvedDependencies.map(({ uri, digest }) => [uri, Object.keys(digest ?? {})]),
      [
        ["git+https://github.com/acme/api@refs/heads/main", ["gitCommit"]],
        ["git+https://github.com/acme/api@refs/heads/main#.deliverd.yml", ["gitBlob", "sha256"]],
        ["pkg:docker/library/node@24", ["sha256"]],
      ],
    );
  });

  it("names no pipeline file for a repo without one", () => {
    const source = { ...facts().source, pipeline: null };
    const { externalParameters, resolvedDependencies } = provenanceOf(facts({ source })).predicate.buildDefinition;
    assert.ok(!("pipeline" in externalParameters));
    assert.deepEqual(
      resolvedDependencies.map(({ name }) => name),
      [undefined, "base"],
    );
  });

  const references: [reference: string, url: string][] = [
    ["node:24", "pkg:docker/library/node@24"],
    ["acme/base", "pkg:docker/acme/base"],
    ["registry.example.com:5000/a/b:1", "pkg:docker/a/b@1?repository_url=registry.example.com:5000"],
    ["localhost/base:x", "pkg:docker/base@x?repository_url=localhost"],
  ];
  for (const [reference, url] of references) {
    it(`writes the base ${reference} as ${url}`, () => {
      const bases = [{ reference, digest: IMAGE }];
      const found = provenanceOf(facts({ bases })).predicate.buildDefinition.resolvedDependencies.at(-1)?.uri;
      assert.equal(decodeURIComponent(found ?? ""), url);
    });
  }

  it("gives the pipeline file the id that git gives it", () => {
    const text = "version: 1\n# ä\n";
    const git = execFileSync("git", ["hash-object", "--stdin"], { input: text, encoding: "utf8" }).trim();
    assert.equal(pipelineFile(".deliverd.yml", text).digest.gitBlob, git);
  });
});

describe("a test result", () => {
  const resultOf = (...checks: ReturnType<typeof check>[]) => {
    const { evidence } = facts();
    assert.ok(evidence);
    return testResultOf(facts({ evidence: { ...evidence, checks } }))?.predicate;
  };

  it("is about the artifact and the commit", () => {
    const subjects = testResultOf(facts())?.subject.map(({ digest }) => digest);
    assert.deepEqual(subjects, [{ sha256: hex("1") }, { gitCommit: SHA }]);
  });

  it("counts no check as passed that was skipped, neutral, or failed and may fail", () => {
    const result = resultOf(
      check(),
      check({ name: "docs", conclusion: "skipped" }),
      check({ name: "size", conclusion: "neutral" }),
      check({ name: "flaky", conclusion: "failed", mayFail: true }),
    );
    assert.deepEqual(result?.passedTests, ["test"]);
    assert.deepEqual(result?.warnedTests, ["docs", "flaky", "size"]);
    assert.equal(result?.result, "WARNED");
  });

  it("counts a name as passed only if every app's check of this name has passed", () => {
    const result = resultOf(check(), check({ app: "other", appId: 7, conclusion: "skipped" }));
    assert.deepEqual([result?.passedTests, result?.warnedTests], [[], ["test"]]);
  });
});

describe("the evidence of a gate", () => {
  const gate: Gate = { ci: "required", required: ["test"], apps: null, settle: 0, timeout: 1 };
  const reported: Check = {
    ...{ name: "test", source: "status", state: "passed", app: null, detail: "success", at: 0 },
    url: "javascript:alert(1)",
  };

  it("keeps only links to web pages, and no time that the host did not say", () => {
    const { checks } = evidenceOf({ restsOn: [reported], because: "" }, gate, ["main"], 0);
    assert.deepEqual([checks[0]?.url, checks[0]?.at], [null, null]);
  });

  it("is the same whatever order the host lists checks in", () => {
    const others = ["b", "a", "c"].map((name) => ({ ...reported, name }));
    const of = (restsOn: Check[]) => evidenceOf({ restsOn, because: "" }, gate, ["main"], 0);
    assert.deepEqual(of(others), of(others.toReversed()));
  });
});
