import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import { isInIntervals, rangeIntervals, versionKey } from "../../../src/delivery/version-order.ts";

const number = fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 10_000_000 }));
const identifier = fc.oneof(number.map(String), fc.constantFrom("alpha", "rc", "a", "B", "-", "x-1", "gab12cd3"));
const version = fc
  .tuple(number, number, number, fc.array(identifier, { maxLength: 3 }))
  .map(([major, minor, patch, pre]) => `${major}.${minor}.${patch}${pre.length > 0 ? `-${pre.join(".")}` : ""}`);
const small = fc.nat({ max: 3 });
const near = fc
  .tuple(small, small, small, fc.option(fc.constantFrom("0", "rc.1", "rc.2", "5.gab12cd3")))
  .map(([major, minor, patch, pre]) => `${major}.${minor}.${patch}${pre === null ? "" : `-${pre}`}`);
const comparator = fc.oneof(
  fc.tuple(fc.constantFrom("^", "~", ">=", "<=", ">", "<", "=", ""), near).map((parts) => parts.join("")),
  fc.constantFrom("*", "1.x", "2", "1.2", ">=1 <2.1", "1.0.0 - 2.1", "<0.0.0-0"),
);
const range = fc
  .array(
    fc.array(comparator, { minLength: 1, maxLength: 2 }).map((all) => all.join(" ")),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => all.join(" || "));

describe("the key of a version", () => {
  it("sorts by its bytes as semantic versions sort", () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        const [one = "", two = ""] = [versionKey(a), versionKey(b)];
        const order = Buffer.compare(Buffer.from(one ?? ""), Buffer.from(two ?? ""));
        assert.equal(order, semver.compare(a, b), `${a} ${b}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is none of what is no semantic version", () => {
    for (const text of ["", "1.2", "latest", "01.2.3", "1.2.3-"]) assert.equal(versionKey(text), null, text);
  });
});

describe("the intervals of a range of versions", () => {
  it("hold exactly the versions that npm has in the range", () => {
    fc.assert(
      fc.property(range, near, fc.boolean(), (text, one, includePrerelease) => {
        const intervals = rangeIntervals(text, { includePrerelease });
        if (semver.validRange(text) === null) return assert.equal(intervals, null);
        const found = isInIntervals(versionKey(one) ?? "", intervals ?? []);
        assert.equal(found, semver.satisfies(one, text, { includePrerelease }), `${one} in ${text}`);
      }),
      { numRuns: 5_000 },
    );
  });

  it("are none of a text that is no range", () => {
    for (const text of ["^x.y", "main", ">=1 <", "1.2.3.4"]) assert.equal(rangeIntervals(text), null, text);
  });
});
