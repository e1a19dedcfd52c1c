import assert from "node:assert/strict";
import fc from "fast-check";
import { gt, prerelease } from "semver";
import { distTagFor, tagToRaise } from "../../../src/registries/protocols/npm/dist-tag.ts";

describe("the tag that an npm version is published under", () => {
  const cases: [string, Record<string, string>, string, string][] = [
    ["1.0.0", {}, "latest", "the first release"],
    ["1.0.1", { latest: "1.0.0" }, "latest", "a higher release"],
    ["1.10.0", { latest: "1.9.0" }, "latest", "a higher release, by numbers"],
    ["1.0.0", { latest: "1.0.0-3.gab12cd3" }, "latest", "a release where the registry made a build latest"],
    ["1.0.1", { latest: "2.0.0" }, "latest-1", "a patch of an older major"],
    ["1.0.1", { latest: "2.0.0", "latest-1": "1.1.0" }, "latest-1.0", "a patch of an older minor"],
    ["1.0.1", { latest: "2.0.0", "latest-1": "1.1.0", "latest-1.0": "1.0.2" }, "previous", "what is older than all"],
    ["1.0.1-4.gab12cd3", { latest: "1.0.0" }, "next", "a build between releases"],
    ["1.0.1-4.gab12cd3", {}, "next", "a build before any release"],
    ["1.0.1-4.gab12cd3", { next: "1.0.1-5.gab12cd4" }, "previous", "a build that was overtaken"],
    ["1.0.1-4.gab12cd3", { next: "2.0.0" }, "previous", "a build below a release that somebody calls next"],
    ["1.0.1-4.gab12cd3", { next: "1.0.0" }, "next", "a build above a release that somebody calls next"],
    ["2.0.0-rc.1", { latest: "1.0.0" }, "next", "a release candidate of a new major"],
    ["4.9.1", { latest: "5.0.0" }, "latest-4", "a release below what another tool put there"],
  ];
  for (const [version, tags, expected, title] of cases) {
    it(`is ${expected} for ${title}`, () => assert.equal(distTagFor(version, tags), expected));
  }
});

describe("the tag to put back after an npm version was published", () => {
  const packument = (versions: string[], tags: Record<string, string>) => ({
    "dist-tags": tags,
    versions: Object.fromEntries(versions.map((each) => [each, { dist: { tarball: "" } }])),
  });
  const old = ["0.9.0"];
  const cases: [
    title: string,
    version: string,
    before: ReturnType<typeof packument> | null,
    now: ReturnType<typeof packument>,
    expected: ReturnType<typeof tagToRaise>,
  ][] = [
    [
      "is latest, where a higher release came at the same time and ours wrote last",
      "1.0.0",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.0", "1.1.0"], { latest: "1.0.0" }),
      { tag: "latest", version: "1.1.0" },
    ],
    [
      "is latest, where a lower one wrote last",
      "1.1.0",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.0", "1.1.0"], { latest: "1.0.0" }),
      { tag: "latest", version: "1.1.0" },
    ],
    [
      "is the line of an older major, for two patches of it",
      "1.0.1",
      packument(["1.0.0", "2.0.0"], { latest: "2.0.0" }),
      packument(["1.0.0", "2.0.0", "1.0.1", "1.0.2"], { latest: "2.0.0", "latest-1": "1.0.1" }),
      { tag: "latest-1", version: "1.0.2" },
    ],
    [
      "is next, for two builds",
      "1.0.1-1.gab12cd3",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.1-1.gab12cd3", "1.0.1-2.gab12cd4"], { latest: "0.9.0", next: "1.0.1-1.gab12cd3" }),
      { tag: "next", version: "1.0.1-2.gab12cd4" },
    ],
    [
      "is latest, where the version stands and the process that published it did not get to look",
      "1.1.0",
      null,
      packument(["1.0.0", "1.1.0"], { latest: "1.0.0" }),
      { tag: "latest", version: "1.1.0" },
    ],
    ["is none, where all is well", "1.0.0", packument([], {}), packument(["1.0.0"], { latest: "1.0.0" }), null],
    [
      "is none, where another tool put it higher",
      "1.0.0",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.0", "5.0.0"], { latest: "5.0.0" }),
      null,
    ],
    [
      "is none, where what came meanwhile has a tag of its own",
      "1.0.0",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.0", "5.0.0"], { latest: "1.0.0", beta: "5.0.0" }),
      null,
    ],
    [
      "is none, where a pre-release came meanwhile",
      "1.0.0",
      packument(old, { latest: "0.9.0" }),
      packument([...old, "1.0.0", "2.0.0-rc.1"], { latest: "1.0.0" }),
      null,
    ],
    [
      "is none for a higher version that stood before: who did not call it latest had a reason",
      "1.0.0",
      packument(["0.9.0", "5.0.0"], { latest: "0.9.0" }),
      packument(["0.9.0", "5.0.0", "1.0.0"], { latest: "1.0.0" }),
      null,
    ],
    [
      "is none for a patch of an older major that stands already",
      "1.0.1",
      null,
      packument(["1.0.1", "2.0.0"], { latest: "2.0.0" }),
      null,
    ],
  ];
  for (const [title, version, before, now, expected] of cases) {
    it(title, () => assert.deepEqual(tagToRaise(version, before, now), expected));
  }

  it("is never lower than what stands there, and after it there is none", () => {
    const version = fc.constantFrom("0.9.0", "1.0.0", "1.0.1", "1.1.0", "2.0.0", "2.0.1-1.gab12cd3", "3.0.0-rc.1");
    const tags = fc.dictionary(fc.constantFrom("latest", "latest-1", "next", "beta"), version);
    fc.assert(
      fc.property(
        version,
        fc.uniqueArray(version),
        fc.uniqueArray(version),
        tags,
        fc.boolean(),
        (own, old, came, held, knows) => {
          const before = packument(old, held);
          const written = { ...held, [distTagFor(own, held)]: own };
          const now = packument([...old, ...came, own], written);
          const raise = tagToRaise(own, knows ? before : null, now);
          if (raise === null) return;
          const current = now["dist-tags"][raise.tag];
          assert.ok(current === undefined || prerelease(current) !== null || gt(raise.version, current));
          assert.ok(raise.tag === "next" || prerelease(raise.version) === null);
          const after = packument([...old, ...came, own], { ...written, [raise.tag]: raise.version });
          assert.equal(tagToRaise(own, knows ? before : null, after), null);
        },
      ),
    );
  });
});
