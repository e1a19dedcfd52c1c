import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import {
  baseTag,
  highestVersionTag,
  tagsWithoutVersion,
  untaggedVersion,
  versionsOf,
  versionTag,
} from "../../../src/delivery/version.ts";

const number = fc.nat({ max: 1_000_000 });
const stable = fc.tuple(number, number, number).map((parts) => parts.join("."));
const sha = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });

describe("a version tag", () => {
  for (const [tag, version] of [
    ["1.2.3", "1.2.3"],
    ["v1.2.3", "1.2.3"],
    ["v1.2.3-rc.1", "1.2.3-rc.1"],
    ["v1.2", null],
    ["vv1.2.3", null],
    ["V1.2.3", null],
    ["=1.2.3", null],
    [" 1.2.3", null],
    ["1.2.3\n", null],
    ["v01.2.3", null],
    ["1.2.3-01", null],
    ["1.2.3-", null],
    ["release-1.2.3", null],
    ["1.2.3+build", null],
    ["99999999999999999999.0.0", null],
    [`1.2.3-${"a".repeat(130)}`, null],
  ] as const) {
    it(`${JSON.stringify(tag.slice(0, 30))} ${version === null ? "is none" : `says ${version}`}`, () => {
      assert.equal(versionTag(tag), version);
    });
  }

  it("that is watched and none is known, so that a person can be told", () => {
    const tags = ["v1.2", "v1.2.3", "2024.01.15", "nightly", "release-1.2"];
    assert.deepEqual(tagsWithoutVersion(tags, ["v*", "release-*"]), ["v1.2", "release-1.2"]);
    assert.deepEqual(tagsWithoutVersion(tags, ["*"]), ["v1.2", "2024.01.15", "nightly", "release-1.2"]);
  });

  it("of a pre-release is never the highest, nor what commits are counted from", () => {
    assert.equal(highestVersionTag(["v1.9.0", "v1.10.0", "v2.0.0-rc.1", "latest"]), "v1.10.0");
    assert.equal(baseTag(["v2.0.0-rc.1", "nightly"]), null);
  });

  it("gives a commit its versions, highest first and each once", () => {
    assert.deepEqual(versionsOf(["v1.0.0-rc.1", "1.0.0", "v1.0.0", "stable", "v1.1.0"]), [
      "1.1.0",
      "1.0.0",
      "1.0.0-rc.1",
    ]);
  });
});

describe("the version of a commit without a version tag", () => {
  it("is a pre-release of the next patch, with the count and seven digits of the sha", () => {
    assert.equal(untaggedVersion("v1.2.3", 5, "ab12cd3".padEnd(40, "0")), "1.2.4-5.gab12cd3");
    assert.equal(untaggedVersion(null, 17, "0012345".padEnd(40, "0")), "0.0.1-17.g0012345");
  });

  it("sorts above its base and below the next patch, and is both a semantic version and an OCI tag", () => {
    fc.assert(
      fc.property(stable, fc.integer({ min: 1, max: 10_000_000 }), sha, (base, count, id) => {
        const version = untaggedVersion(`v${base}`, count, id);
        assert.equal(semver.valid(version), version);
        assert.ok(semver.gt(version, base));
        assert.ok(semver.lt(version, semver.inc(base, "patch") ?? ""));
        assert.match(version, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
      }),
    );
  });

  it("grows with the count, whatever the shas are", () => {
    fc.assert(
      fc.property(stable, fc.integer({ min: 1, max: 10_000_000 }), sha, sha, (base, count, one, other) => {
        assert.ok(semver.lt(untaggedVersion(base, count, one), untaggedVersion(base, count + 1, other)));
      }),
    );
  });
});
