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

const at = new Date("2026-11-23T20:05:12+01:00");

describe("a version in an ecosystem's own words", () => {
  for (const [version, maven, python] of [
    ["1.2.3", "1.2.3", "1.2.3"],
    ["1.2.4-5.gab12cd3", "1.2.4-alpha.5.gab12cd3", "1.2.4.dev20261123190512"],
    ["0.0.1-17.g0012cd3", "0.0.1-alpha.17.g0012cd3", "0.0.1.dev20261123190512"],
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
      assert.equal(pythonVersion(version, at), python);
      for (const kind of ["image", "npm", "file", "ami"] as const)
        assert.equal(ecosystemVersion(kind, version, at), version);
    });
  }

  it("that has none is the user's to change, who is told how", () => {
    const told = (error: unknown) =>
      error instanceof UserError &&
      error.code === "version-unspeakable" &&
      /1\.2\.3-\S+ cannot .*v1\.2\.3-rc\.1/.test(error.message);
    assert.throws(() => ecosystemVersion("wheel", "1.2.3-next.1", at), told);
    assert.throws(() => ecosystemVersion("jar", "1.2.3-SNAPSHOT", at), told);
  });

  it("is what PEP 440 itself would write, whatever commit it is of", () => {
    const sha = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
    const time = fc.date({ min: new Date("1970-01-01"), max: new Date("9999-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(), sha, time, (major, minor, patch, count, sha, time) => {
        const version = untaggedVersion(`v${major}.${minor}.${patch}`, count, sha);
        const python = pythonVersion(version, time);
        assert.match(python ?? "", /^\d+\.\d+\.\d+\.dev\d{14}$/);
        assert.match(mavenVersion(version) ?? "", /^\d+\.\d+\.\d+-alpha\.\d+\.g[0-9a-f]{7}$/);
      }),
    );
  });
});

describe("PEP 440 counts as one version", () => {
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

  it("but not what is no version at all", () => {
    for (const text of ["", "latest", "1.2.3-next.1", "1..2", "1.2.3+", "1.2.3-1.gab", "1.2.3 4"])
      assert.equal(normalPythonVersion(text), null, text);
  });
});
