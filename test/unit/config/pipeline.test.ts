import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { UserError } from "../../../src/delivery/errors.ts";

const ARTIFACTS = "artifacts: [{ name: api, kind: image, publish: [{ to: hub, as: acme/api }] }]";
const minimal = (...lines: string[]) => ["version: 1", ARTIFACTS, ...lines].join("\n");
/** An image with further keys, on the third line. */
const image = (keys: string) =>
  `version: 1\nartifacts:\n  - { name: api, kind: image, publish: [{ to: hub, as: acme/api }], ${keys} }`;

function problems(text: string): string[] {
  try {
    parsePipeline(text);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, "bad-pipeline");
    return error.message.split("\n");
  }
  return assert.fail("no problem was found");
}

describe("a pipeline file", () => {
  it("needs a version and one artifact", () => {
    assert.deepEqual(parsePipeline(minimal()), {
      on: null,
      gate: { ci: "required", required: [], apps: null, settle: 5_000, timeout: 21_600_000 },
      supersede: false,
      lfs: "warn",
      artifacts: [
        {
          name: "api",
          kind: "image",
          dockerfile: "Dockerfile",
          context: ".",
          paths: [],
          platforms: [],
          args: {},
          target: null,
          labels: {},
          secrets: [],
          cache: true,
          build: null,
          files: [],
          publish: [{ to: "hub", as: "acme/api", tags: ["{version}", "{branch}", "sha-{shortSha}"] }],
        },
      ],
    });
  });

  it("has every kind of artifact, whatever this version can build", () => {
    for (const kind of ["jar", "npm", "wheel", "file", "ami"]) {
      const [artifact] = parsePipeline(
        `version: 1\nartifacts: [{ name: a, kind: ${kind}, build: { image: x, run: [y] }, files: "*.z", publish: [{ to: b }] }]`,
      ).artifacts;
      assert.equal(artifact?.kind, kind);
      assert.deepEqual(artifact?.publish, [{ to: "b", as: null, tags: [] }]);
      const limits = { memoryBytes: null, cpus: null, time: null };
      const plain = { image: "x", run: ["y"], cache: [], env: {}, secrets: [], network: true, limits };
      assert.deepEqual([artifact?.build, artifact?.files], [plain, ["*.z"]]);
    }
  });

  it("says how files are made: with what is kept, named and limited", () => {
    const build = `{ image: x, run: [y], cache: [/root/.npm, target], env: { A: 1 }, secrets: [NPM_READ], network: false,
      memory: 512MiB, cpus: 0.5, timeout: 10m }`;
    const [artifact] = parsePipeline(
      `version: 1\nartifacts: [{ name: a, kind: file, build: ${build}, files: [a, "b/*"], publish: [{ to: c }] }]`,
    ).artifacts;
    assert.deepEqual(artifact?.build, {
      image: "x",
      run: ["y"],
      cache: ["/root/.npm", "target"],
      env: { A: "1" },
      secrets: ["NPM_READ"],
      network: false,
      limits: { memoryBytes: 512 * 2 ** 20, cpus: 0.5, time: 600_000 },
    });
    assert.deepEqual(artifact?.files, ["a", "b/*"]);
  });

  it("asks for no CI, or for some", () => {
    assert.equal(parsePipeline(minimal("ci: none")).gate.ci, "none");
    assert.deepEqual(parsePipeline(minimal('ci: { required: ["test*"], settle: 1m }')).gate, {
      ci: "required",
      required: ["test*"],
      apps: null,
      settle: 60_000,
      timeout: 21_600_000,
    });
  });

  it("may trust the checks of certain apps alone", () => {
    const { gate } = parsePipeline(minimal("ci: { required: [test], apps: [github-actions] }"));
    assert.deepEqual(gate.apps, ["github-actions"]);
    for (const apps of ["[]", "github-actions", "['*']", "[GitHub Actions]", "[null]"])
      assert.throws(() => parsePipeline(minimal(`ci: { apps: ${apps} }`)), UserError, apps);
  });

  it("watches only what `on` says where it says anything", () => {
    assert.deepEqual(parsePipeline(minimal("on: { branches: [main] }")).on, { branches: ["main"], tags: [] });
  });

  it("takes build arguments as YAML writes them", () => {
    const [artifact] = parsePipeline(image("args: { A: 1, B: true, C: x }")).artifacts;
    assert.deepEqual(artifact?.args, { A: "1", B: "true", C: "x" });
  });

  it("says which stage an image is, its labels, its secrets, and whether steps are cached", () => {
    const keys = "target: Release, labels: { team: payments, n: 1 }, secrets: [NPM_TOKEN], cache: false";
    const [artifact] = parsePipeline(image(keys)).artifacts;
    assert.ok(artifact);
    const { target, labels, secrets, cache } = artifact;
    assert.deepEqual(
      { target, labels, secrets, cache },
      {
        target: "Release",
        labels: { team: "payments", n: "1" },
        secrets: ["NPM_TOKEN"],
        cache: false,
      },
    );
  });

  it("says what pointers of Git LFS mean", () => {
    assert.equal(parsePipeline(minimal("lfs: refuse")).lfs, "refuse");
    assert.deepEqual(problems(minimal("lfs: fetch")), ['.deliverd.yml:3: lfs: found "fetch"; expected warn or refuse']);
  });

  it("gives paths in their shortest form", () => {
    const [artifact] = parsePipeline(image("dockerfile: ./a/../b//Dockerfile, context: b/")).artifacts;
    assert.deepEqual([artifact?.dockerfile, artifact?.context], ["b/Dockerfile", "b"]);
  });

  it("is named in messages as it is asked for", () => {
    assert.throws(
      () => parsePipeline("", "acme/api/.deliverd.yml"),
      /^UserError: acme\/api\/\.deliverd\.yml: empty; expected a map/,
    );
  });

  const outside = "expected a path inside the repo, relative to its root, with / between folders";
  const wrong: [title: string, text: string, ...expected: string[]][] = [
    ["another version", `version: 2\n${ARTIFACTS}`, "1: version: found 2; expected 1, the only version there is"],
    [
      "no artifact",
      "version: 1\nartifacts: []",
      "2: artifacts: found an empty list; expected a list of at least one artifact",
    ],
    [
      "an unknown key",
      minimal("superseed: true"),
      '3: superseed: "superseed" is not a key here (did you mean "supersede"?); known are version, on, ci, supersede, lfs, artifacts',
    ],
    [
      "an unknown key of an artifact",
      image("dockerfil: x"),
      '3: artifacts[0].dockerfil: "dockerfil" is not a key here (did you mean "dockerfile"?); known are name, kind, dockerfile, context, target, paths, platforms, args, labels, secrets, cache, publish',
    ],
    [
      "an unknown kind",
      "version: 1\nartifacts:\n  - name: a\n    kind: imagee",
      '4: artifacts[0].kind: found "imagee"; expected one of image, jar, npm, wheel, file, ami (did you mean "image"?)',
    ],
    [
      "an image without a name in the registry",
      "version: 1\nartifacts: [{ name: a, kind: image, publish: [{ to: hub }] }]",
      "2: artifacts[0].publish[0].as: left out; expected the template of a name in the registry, such as acme/api",
    ],
    [
      "a Dockerfile outside the repo",
      image("dockerfile: ../Dockerfile"),
      `3: artifacts[0].dockerfile: found "../Dockerfile"; ${outside}`,
    ],
    [
      "a Dockerfile outside it by a detour",
      image("dockerfile: a/../../b"),
      `3: artifacts[0].dockerfile: found "a/../../b"; ${outside}`,
    ],
    ["an absolute context", image("context: /etc"), `3: artifacts[0].context: found "/etc"; ${outside}`],
    [
      "control characters in a path",
      image('context: "a\\0b"'),
      `3: artifacts[0].context: found "a\\u0000b"; ${outside}`,
    ],
    [
      "two artifacts of one name",
      `version: 1\nartifacts:\n  - &a { name: a, kind: image, publish: [{ to: b, as: c }] }\n  - *a`,
      "2: artifacts: found a list; expected artifacts of different names",
    ],
    [
      "a build argument that deliverd sets",
      image("args: { DELIVERD_VERSION: x }"),
      '3: artifacts[0].args.DELIVERD_VERSION: found "x"; expected the name of a build argument; DELIVERD_… and SOURCE_DATE_EPOCH are set by deliverd itself',
    ],
    [
      "a label that deliverd sets",
      image("labels: { org.opencontainers.image.version: x }"),
      '3: artifacts[0].labels.org.opencontainers.image.version: found "x"; expected another label; this one is set by deliverd itself',
    ],
    [
      "a label of deliverd's own name space",
      image("labels: { dev.deliverd.delivery: x }"),
      '3: artifacts[0].labels.dev.deliverd.delivery: found "x"; expected another label; this one is set by deliverd itself',
    ],
    [
      "an `on` that watches nothing",
      minimal("on: { branches: [] }"),
      "3: on: found a map; expected at least one branch or tag; leave `on` out for the default branch and v* tags",
    ],
    [
      "a mistyped ci",
      minimal("ci: nnoe"),
      '3: ci: found "nnoe"; expected none, or a map of required, apps, settle, timeout',
    ],
    [
      "a mistyped key under ci",
      minimal("ci:\n  setle: 5s"),
      '4: ci.setle: "setle" is not a key here (did you mean "settle"?); known are required, apps, settle, timeout',
    ],
    ["a list for a map", "- a", "1: found a list; expected a map of version, on, ci, supersede, lfs, artifacts"],
  ];
  for (const [title, text, ...expected] of wrong) {
    it(`is refused with ${title}`, () => {
      assert.deepEqual(
        problems(text),
        expected.map((line) => `.deliverd.yml:${line}`),
      );
    });
  }
});

describe("a hostile pipeline file", () => {
  it("is not read beyond 64 kB", () => {
    assert.match(problems(`#${"x".repeat(65_536)}`)[0] ?? "", /the file has 65537 bytes; at most 65536 are read/);
  });

  it("cannot multiply itself by aliases", () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 9; i++) {
      const [last, next] = [String.fromCharCode(96 + i), String.fromCharCode(97 + i)];
      bomb.push(`${next}: &${next} [${Array(9).fill(`*${last}`).join(",")}]`);
    }
    assert.match(problems(bomb.join("\n"))[0] ?? "", /more than 50/);
  });

  it("cannot hold itself", () => {
    assert.match(problems("version: &a [*a]")[0] ?? "", /nested|alias|expected/);
  });

  it("may not use merge keys, tags, a YAML 1.1 header or several documents", () => {
    assert.match(problems(`x: &x { a: 1 }\n<<: *x\n${minimal()}`).join("\n"), /"<<" is not a key here/);
    assert.match(problems(`%YAML 1.1\n---\nx: &x { a: 1 }\n<<: *x\n${minimal()}`).join("\n"), /"<<" is not a key here/);
    assert.match(problems(minimal("on: !!set { a }")).join("\n"), /tags \(!name\) mean nothing here/);
    assert.match(problems(minimal("---", "a: 1")).join("\n"), /one file holds one document/);
  });

  it("does not reach the prototype of things", () => {
    assert.match(
      problems(minimal("__proto__: { polluted: true }")).join("\n"),
      /:3: __proto__: no key may have this name/,
    );
    assert.match(problems(image("args: { __proto__: x }")).join("\n"), /__proto__/);
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });

  for (const [title, text] of [
    ["nests 30,000 lists", "[".repeat(30_000)],
    // Without a bound of ours this one ends the whole process.
    ["nests 30,000 maps", "{".repeat(30_000)],
    ["nests 30,000 lists by dashes", "- ".repeat(30_000)],
    ["nests 30,000 closed lists", "[".repeat(30_000) + "]".repeat(30_000)],
    ["nests maps by indentation", Array.from({ length: 300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    ["has 8,000 keys", Array.from({ length: 8_000 }, (_, i) => `k${i}:`).join("\n")],
    ["has 8,000 anchors", `a: [${Array.from({ length: 8_000 }, (_, i) => `&a${i}`).join(",")}]`],
    ["has 16,000 documents", "---\n".repeat(16_000)],
    ["has one very long key", `${"k".repeat(60_000)}: 1`],
    ["is full of quotes", "'\"".repeat(30_000)],
  ] as const) {
    it(`costs less than two seconds of a processor when it ${title}`, () => {
      const before = process.cpuUsage();
      const [first, ...others] = problems(text);
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${user + system} µs`);
      assert.ok((first ?? "").length < 1_000);
      assert.ok(others.length <= 20);
    });
  }

  it("only ever ends in a pipeline or a UserError", () => {
    const line = fc.constantFrom(
      "version: 1",
      ARTIFACTS,
      "on:",
      "  branches: [main]",
      "ci: none",
      "- a",
      "? b",
      "&x",
      "*x",
      "{",
      "]",
      "'",
      "|",
      "!t",
      "%YAML 1.1",
      "---",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string({ unit: "grapheme" })), { maxLength: 8 }), (lines) => {
        try {
          parsePipeline(lines.join("\n"));
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
