import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import semver from "semver";
import { ecosystemVersion, mavenVersion, normalPythonVersion } from "../../../src/delivery/ecosystem-version.ts";
import type { ArtifactKind } from "../../../src/delivery/types.ts";
import { untaggedVersion } from "../../../src/delivery/version.ts";

const SEED = 20261123;
/** Debian's, whose python3-packaging is the one that pip and twine go by. */
const PYTHON = "/usr/bin/python3";
const MAVEN = "/usr/share/java/maven3-artifact.jar";

/** Versions of one repo in the order in which its maintainers mean them. */
const history = fc
  .record({
    from: fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)),
    counts: fc.uniqueArray(fc.integer({ min: 1, max: 2000 }), { minLength: 2, maxLength: 4 }),
    pre: fc.uniqueArray(fc.nat(30), { minLength: 2, maxLength: 3 }),
    // Commits of one history, whose ids rise and fall as they like.
    shas: fc.array(fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 }), {
      minLength: 5,
      maxLength: 5,
    }),
    dotted: fc.boolean(),
  })
  .map(({ from, counts, pre, shas, dotted }): string[] => {
    const base = from.join(".");
    const next = semver.inc(base, "patch") ?? "";
    const rising = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
    // Without a dot, semver compares text: rc10 before rc2.
    const marks = dotted ? rising(pre).map((each) => `.${each}`) : [String(pre[0] ?? 0)];
    const versions = [
      base,
      ...rising(counts).map((count, index) => untaggedVersion(base, count, shas[index] ?? "")),
      ...marks.map((mark) => `${next}-beta${mark}`),
      ...marks.map((mark) => `${next}-rc${mark}`),
      next,
      untaggedVersion(next, 1, shas[4] ?? ""),
      semver.inc(base, "minor") ?? "",
      semver.inc(base, "major") ?? "",
    ];
    return versions;
  });

const histories = fc.sample(history, { numRuns: 150, seed: SEED });

/** Every neighbours of every history, as an ecosystem writes them. */
function neighbours(kind: ArtifactKind): [string, string][] {
  return histories.flatMap((versions) =>
    versions.slice(1).map((later, index): [string, string] => {
      return [ecosystemVersion(kind, versions[index] ?? later), ecosystemVersion(kind, later)];
    }),
  );
}

function python(script: string, input: unknown): unknown {
  const { stdout, stderr } = spawnSync(PYTHON, ["-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

/** Pairs that are not in order, by Maven's own comparison; it prints each argument against the next. */
function wrongInMaven(pairs: [string, string][]): string[] {
  const main = "org.apache.maven.artifact.versioning.ComparableVersion";
  const { stdout, stderr } = spawnSync("java", ["-cp", MAVEN, main, ...pairs.flat()], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const compared = stdout.split("\n").filter((line) => line.startsWith("   "));
  assert.equal(compared.length, pairs.length * 2 - 1, stderr);
  return compared.filter((line, index) => index % 2 === 0 && !/^ {3}\S+ < \S+$/.test(line));
}

describe("deliverd orders versions exactly as", function () {
  this.timeout(60_000);

  it("npm's semver does, also for OCI registries", () => {
    const pairs = neighbours("npm");
    assert.ok(pairs.length > 1000);
    assert.deepEqual(
      pairs.filter(([one, other]) => !semver.lt(one, other)),
      [],
    );
  });

  it("Maven's ComparableVersion does", () => {
    assert.deepEqual(wrongInMaven(neighbours("jar")), []);
    // It can fail: this is what Maven makes of semver's own spelling.
    assert.equal(wrongInMaven([["1.2.4-5.gab12cd3", "1.2.4"]]).length, 1);
  });

  it("Maven's ComparableVersion does, with every pre-release below its release", () => {
    const word = fc.string({ unit: fc.constantFrom(..."abcdemprstxz019-"), minLength: 1, maxLength: 6 });
    const called = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => `1.2.4-${words.join(".")}`);
    const versions = fc.sample(
      called.filter((version) => semver.valid(version) !== null),
      { numRuns: 500, seed: SEED },
    );
    const pairs = versions.flatMap((version): [string, string][] => {
      const written = mavenVersion(version);
      return written === null
        ? []
        : [
            ["1.2.3", written],
            [written, "1.2.4"],
          ];
    });
    assert.deepEqual(wrongInMaven(pairs), []);
  });

  it("Python's packaging does, with the same normal form", () => {
    const pairs = neighbours("wheel");
    const script = `
import json, sys
from packaging.version import Version
print(json.dumps([[str(Version(a)), Version(a) < Version(b)] for a, b in json.load(sys.stdin)]))`;
    assert.deepEqual(
      python(script, pairs),
      pairs.map(([one]) => [one, true]),
    );
  });
});

describe("Two spellings are one version for deliverd", () => {
  it("exactly if they are one for Python's packaging", () => {
    const piece = fc.constantFrom(
      ...[
        "1",
        "0",
        "01",
        "10",
        ".",
        ".",
        "-",
        "_",
        "!",
        "+",
        "v",
        " ",
        "a",
        "alpha",
        "b",
        "beta",
        "c",
        "rc",
        "pre",
        "preview",
        "post",
        "rev",
        "r",
        "dev",
        "x",
        "RC",
        "Dev",
        "g1",
      ],
    );
    const tail = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
    const texts = fc.sample(
      fc.tuple(fc.constantFrom("1", "1.2", "1.0", "1!2.0.0", "v1.2.3"), tail).map((parts) => parts.join("")),
      {
        numRuns: 5000,
        seed: SEED,
      },
    );
    const script = `
import json, sys
from packaging.version import Version, InvalidVersion
from packaging.utils import canonicalize_version
def normal(text):
    try:
        return canonicalize_version(Version(text))
    except InvalidVersion:
        return None
print(json.dumps([normal(text) for text in json.load(sys.stdin)]))`;
    const theirs = python(script, texts) as (string | null)[];
    assert.ok(theirs.filter((each) => each !== null).length > 500);
    const differ = texts
      .map((text, index) => [text, normalPythonVersion(text), theirs[index]])
      .filter(([, ours, other]) => ours !== other);
    assert.deepEqual(differ, []);
  });
});
