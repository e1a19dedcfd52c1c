import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ecosystemVersion,
  mavenVersion,
  normalPythonVersion,
  pythonVersion,
} from "../../../src/delivery/ecosystem-version.ts";
import { UserError } from "../../../src/delivery/errors.ts";
import { untaggedVersion } from "../../../src/delivery/version.ts";

describe("a version as Maven, npm and Python spell it", () => {
  for (const [version, maven, python] of [
    ["1.2.3", "1.2.3", "1.2.3"],
    ["1.2.4-5.gab12cd3", "1.2.4-alpha.5.gab12cd3", "1.2.4.dev5179383507"],
    ["0.0.1-17.g0012cd3", "0.0.1-alpha.17.g0012cd3", "0.0.1.dev17000077011"],
    ["1.2.3-rc.1", "1.2.3-rc.1", "1.2.3rc1"],
    ["1.2.3-RC1", "1.2.3-RC1", "1.2.3rc1"],
    ["1.2.3-rc", "1.2.3-rc", "1.2.3rc0"],
    ["1.2.3-alpha.2", "1.2.3-alpha.2", "1.2.3a2"],
    ["1.2.3-a2", "1.2.3-a2", "1.2.3a2"],
    ["1.2.3-beta.10", "1.2.3-beta.10", "1.2.3b10"],
    ["1.2.3-dev.4", "1.2.3-alpha.dev.4", "1.2.3.dev4"],
    ["1.2.3-milestone.1", "1.2.3-milestone.1", null],
    ["1.2.3-m1", "1.2.3-m1", null],
    ["1.2.3-1", "1.2.3-alpha.1", null],
    ["1.2.3-rc.1.2", "1.2.3-rc.1.2", null],
    ["1.2.3-rcx", "1.2.3-alpha.rcx", null],
    ["1.2.3-next.1", "1.2.3-alpha.next.1", null],
    ["1.2.3-x-y-z", "1.2.3-alpha.x-y-z", null],
    ["1.2.3-SNAPSHOT", null, null],
    ["1.2.3-rc.1-snapshot", null, null],
  ] as const) {
    it(`${version} is ${maven ?? "nothing"} in Maven and ${python ?? "nothing"} in Python`, () => {
      assert.equal(mavenVersion(version), maven);
      assert.equal(pythonVersion(version), python);
      for (const kind of ["image", "npm", "file", "ami"] as const)
        assert.equal(ecosystemVersion(kind, version), version);
    });
  }

  it("without a spelling is a UserError with the remedy", () => {
    const told = (error: unknown) =>
      error instanceof UserError &&
      error.code === "version-unspeakable" &&
      /1\.2\.3-\S+ cannot .*v1\.2\.3-rc\.1/.test(error.message);
    assert.throws(() => ecosystemVersion("wheel", "1.2.3-next.1"), told);
    assert.throws(() => ecosystemVersion("jar", "1.2.3-SNAPSHOT"), told);
  });

  it("is in the canonical form of PEP 440 for any commit", () => {
    const sha = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(), sha, (major, minor, patch, count, sha) => {
        const version = untaggedVersion(`v${major}.${minor}.${patch}`, count, sha);
        const python = pythonVersion(version);
        assert.match(python ?? "", /^\d+\.\d+\.\d+\.dev\d{10,}$/);
        assert.equal(
          normalPythonVersion(python ?? ""),
          normalPythonVersion(`${major}.${minor}.${patch + 1}.dev${python?.split("dev")[1]}`),
        );
        assert.match(mavenVersion(version) ?? "", /^\d+\.\d+\.\d+-alpha\.\d+\.g[0-9a-f]{7}$/);
      }),
    );
  });

  it("differs for any two untagged commits whose semver differs", () => {
    const sha = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
    const commit = fc.tuple(fc.integer({ min: 1, max: 30 }), sha);
    fc.assert(
      fc.property(commit, commit, ([count, one], [otherCount, other]) => {
        const versions = [untaggedVersion("v1.2.3", count, one), untaggedVersion("v1.2.3", otherCount, other)];
        for (const write of [pythonVersion, mavenVersion])
          assert.equal(new Set(versions.map(write)).size, new Set(versions).size);
      }),
    );
  });

  it("rises along every history, whatever the commits' dates", () => {
    const sha = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
    const devOf = (count: number, id: string) =>
      BigInt(pythonVersion(untaggedVersion("v1.2.3", count, id))?.split(".dev")[1] ?? "");
    fc.assert(
      fc.property(
        fc.nat({ max: 10_000_000 }),
        fc.integer({ min: 1, max: 1000 }),
        sha,
        sha,
        (count, more, one, other) => {
          assert.ok(devOf(count, one) < devOf(count + more, other));
        },
      ),
    );
    // The readers of such numbers that hold them in 64 bits, or as JavaScript does, can hold this one.
    assert.ok(devOf(9_000_000, "f".repeat(40)) <= BigInt(Number.MAX_SAFE_INTEGER));
  });
});

describe("Spellings that PEP 440 counts as one version:", () => {
  for (const [normal, ...spellings] of [
    ["1.2.3rc1", "1.2.3-rc.1", "v1.2.3RC1", "1.2.3_c_1", "1.2.3.preview01", " 1.2.3pre1\n"],
    ["1.2", "1.2.0", "1.2.0.0", "01.2"],
    ["1.2a0", "1.2alpha", "1.2.0-a"],
    ["1.post4", "1-4", "1.post4", "1.0.r4", "1rev4"],
    ["1!2.dev3+ab.c", "1!2.dev3+ab-C", "1!2.0_dev_3+AB_c"],
    ["0", "0.0.0"],
  ] as const) {
    it(`${spellings.join(", ").trim()}`, () => {
      for (const spelling of spellings) assert.equal(normalPythonVersion(spelling), normal, spelling);
    });
  }

  it("do not include text that is no version", () => {
    for (const text of ["", "latest", "1.2.3-next.1", "1..2", "1.2.3+", "1.2.3-1.gab", "1.2.3 4"])
      assert.equal(normalPythonVersion(text), null, text);
  });
});
