import assert from "node:assert/strict";
import type { NameSpace } from "../../../src/delivery/distinct-names.ts";
import { Refused, UserError } from "../../../src/delivery/errors.ts";
import { DEFAULT_GATE, matchRepo, type PlanOrder, planOf, watches } from "../../../src/delivery/plan.ts";
import type { ArtifactKind, ArtifactPlan, Pipeline, Plan, RepoBounds } from "../../../src/delivery/types.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";

/** The registry takes artifacts of one kind. */
const taking = (place: string, kind: ArtifactKind = "image") => ({
  kinds: [kind],
  names: new Map<ArtifactKind, NameSpace>([[kind, { shelving: "package", place }]]),
});

const bounds = (given: Partial<RepoBounds> = {}): RepoBounds => ({
  match: "acme/*",
  branches: null,
  tags: null,
  ci: null,
  registries: null,
  secrets: {},
  ...given,
});
const artifact = (given: Partial<ArtifactPlan> = {}) =>
  artifactPlan({ publish: [{ to: "hub", as: "acme/api", tags: ["{version}"] }], ...given });
const commands = (secrets: string[]) => ({
  image: "node:24",
  run: ["npm pack"],
  cache: [],
  env: {},
  secrets,
  network: true,
  limits: { memoryBytes: null, cpus: null, time: null },
});
const pipeline = (given: Partial<Pipeline> = {}): Pipeline => ({
  on: { branches: ["main"], tags: [] },
  gate: DEFAULT_GATE,
  supersede: false,
  lfs: "warn",
  artifacts: [artifact()],
  ...given,
});
const order = (given: Partial<PlanOrder> = {}): PlanOrder => ({
  pipeline: pipeline(),
  hasDockerfile: true,
  repo: { owner: "Acme", name: "API", defaultBranch: "trunk" },
  bounds: bounds(),
  registries: {
    hub: { type: "docker-hub", isDefault: false, ...taking("hub") },
    local: { type: "oci", isDefault: true, ...taking("local") },
  },
  ...given,
});
function plan(given: Partial<PlanOrder> = {}): Plan {
  const result = planOf(order(given));
  assert.ok("plan" in result);
  return result.plan;
}
const to = (key: string) =>
  pipeline({ artifacts: [artifact({ publish: [{ to: key, as: "acme/api", tags: ["x"] }] })] });

describe("a repo without a pipeline file", () => {
  it("with a Dockerfile has one image, under its own name in lower case, in the default registry", () => {
    assert.deepEqual(plan({ pipeline: null }), {
      on: { branches: ["trunk"], tags: ["v*"] },
      gate: DEFAULT_GATE,
      supersede: false,
      lfs: "warn",
      isDefault: true,
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
          publish: [{ to: "local", as: "acme/api", tags: ["{version}", "{branch}", "sha-{shortSha}"] }],
        },
      ],
    });
  });

  it("without a Dockerfile is ignored", () => {
    assert.deepEqual(planOf(order({ pipeline: null, hasDockerfile: false })), {
      ignored: "no .deliverd.yml and no Dockerfile at the root",
    });
  });

  it("goes to the only registry there is, and fails where several are and none is the default", () => {
    const oci = { type: "oci", isDefault: false, ...taking("oci") };
    assert.equal(plan({ pipeline: null, registries: { one: oci } }).artifacts[0]?.publish[0]?.to, "one");
    for (const registries of [{}, { one: oci, two: oci }]) {
      assert.throws(() => plan({ pipeline: null, registries }), { code: "no-default-registry" });
    }
  });

  it("is refused where the server does not allow it the default registry", () => {
    assert.throws(() => plan({ pipeline: null, bounds: bounds({ registries: ["hub"] }) }), Refused);
  });

  for (const [name, image] of [
    ["-.dots--and__dashes.-", "acme/dots-and-dashes"],
    ["A".repeat(100), `acme/${"a".repeat(100)}`],
  ] as const) {
    it(`may be called ${name.slice(0, 25)}`, () => {
      const repo = { owner: "acme", name, defaultBranch: "main" };
      const [only] = plan({ pipeline: null, repo }).artifacts;
      assert.match(only?.name ?? "", /^[a-z0-9][a-z0-9._-]{0,62}$/);
      assert.equal(only?.publish[0]?.as, image);
    });
  }
});

describe("a pipeline within the server's bounds", () => {
  it("watches the default branch and v* tags where it does not say", () => {
    assert.deepEqual(plan({ pipeline: pipeline({ on: null }) }).on, { branches: ["trunk"], tags: ["v*"] });
  });

  it("has the server's required checks added to its own", () => {
    const gate = { ...DEFAULT_GATE, required: ["lint", "test"], settle: 1 };
    const result = plan({
      pipeline: pipeline({ gate }),
      bounds: bounds({ ci: { required: ["test", "e2e"], apps: null } }),
    }).gate;
    assert.deepEqual(result, { ...gate, required: ["test", "e2e", "lint"] });
  });

  it("cannot undo them with ci: none, which holds where the server asks for nothing", () => {
    const none = pipeline({ gate: { ...DEFAULT_GATE, ci: "none" } });
    assert.equal(plan({ pipeline: none }).gate.ci, "none");
    const bounded = plan({ pipeline: none, bounds: bounds({ ci: { required: ["test"], apps: null } }) }).gate;
    assert.deepEqual([bounded.ci, bounded.required], ["required", ["test"]]);
    const trusting = plan({ pipeline: none, bounds: bounds({ ci: { required: [], apps: ["actions"] } }) }).gate;
    assert.deepEqual([trusting.ci, trusting.apps], ["required", ["actions"]]);
  });

  it("cannot trust the checks of other apps than the server does, only of fewer", () => {
    const trusts = (own: string[] | null, servers: string[] | null) =>
      plan({
        pipeline: pipeline({ gate: { ...DEFAULT_GATE, apps: own } }),
        bounds: bounds({ ci: { required: ["test"], apps: servers } }),
      }).gate.apps;
    assert.deepEqual(trusts(null, null), null);
    assert.deepEqual(trusts(["own"], null), ["own"]);
    assert.deepEqual(trusts(null, ["actions"]), ["actions"]);
    assert.deepEqual(trusts(["own", "actions"], ["actions", "other"]), ["actions"]);
    assert.throws(() => trusts(["own"], ["actions"]), {
      name: "Refused",
      code: "check-apps-not-allowed",
      message: /trusts only own, but for acme\/\* the server trusts only actions/,
    });
  });

  it("is refused a registry outside them, whose key it is told", () => {
    const refusal = () => plan({ pipeline: to("local"), bounds: bounds({ registries: ["hub"] }) });
    assert.throws(refusal, (error) => error instanceof Refused && error.code === "registry-not-allowed");
  });

  for (const key of ["hbu", "__proto__", "constructor"]) {
    it(`cannot name the registry ${key}, which is unknown`, () => {
      assert.throws(
        () => plan({ pipeline: to(key) }),
        (error) => {
          assert.ok(error instanceof UserError);
          assert.equal(error.code, "unknown-registry");
          assert.match(error.message, /Known are hub, local/);
          return true;
        },
      );
    });
  }

  it("cannot put an image where images have no place", () => {
    const registries = { npm: { type: "npm", isDefault: false, ...taking("npm", "npm") } };
    assert.throws(() => plan({ pipeline: to("npm"), registries }), { code: "registry-takes-no-such-kind" });
  });

  it("can put each kind where it is taken, and asks for no secret that the server does not grant", () => {
    const registries = { npm: { type: "npm", isDefault: false, ...taking("npm", "npm") } };
    const client = (secrets: string[]) =>
      artifact({ name: "client", kind: "npm", publish: [{ to: "npm", as: null, tags: [] }], build: commands(secrets) });
    const asked = (secrets: string[]) => ({ pipeline: pipeline({ artifacts: [client(secrets)] }), registries });
    assert.equal(plan(asked([])).artifacts[0]?.kind, "npm");
    const granting = bounds({ secrets: { NPM_READ: "s3cret" } });
    assert.ok(plan({ ...asked(["NPM_READ"]), bounds: granting }));
    assert.throws(
      () => plan({ ...asked(["NPM_WRITE"]), bounds: granting }),
      (error) => {
        assert.ok(error instanceof Refused);
        assert.equal(error.code, "secret-not-granted");
        assert.match(error.message, /for NPM_WRITE, .* does not grant acme\/\*\. It grants: NPM_READ/);
        return true;
      },
    );
  });

  it("gives an image no secret that the server does not grant", () => {
    const asked = { pipeline: pipeline({ artifacts: [artifact({ secrets: ["NPM_READ"] })] }) };
    assert.deepEqual(plan({ ...asked, bounds: bounds({ secrets: { NPM_READ: "s3cret" } }) }).artifacts[0]?.secrets, [
      "NPM_READ",
    ]);
    assert.throws(
      () => plan({ ...asked, bounds: bounds({ secrets: { OTHER: "s3cret" } }) }),
      (error) => {
        assert.ok(error instanceof Refused);
        assert.equal(error.code, "secret-not-granted");
        assert.match(error.message, /asks in secrets for NPM_READ, .* It grants: OTHER/);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      },
    );
  });

  it("is told of a bad template before anything is built", () => {
    const publish = [{ to: "hub", as: "acme/{repos}", tags: ["x"] }];
    assert.throws(() => plan({ pipeline: pipeline({ artifacts: [artifact({ publish })] }) }), {
      code: "unknown-variable",
    });
  });
});

describe("the entry under `repos` that bounds a repo", () => {
  const repo = { host: "github", owner: "Acme", name: "Payments" };
  const match = (...patterns: string[]) =>
    matchRepo(
      patterns.map((one) => bounds({ match: one })),
      repo,
    )?.match ?? null;

  it("is the most specific one that matches, in whatever order they stand", () => {
    const patterns = ["*/*", "acme/payments", "acme/pay*", "acme/*"];
    for (let take = patterns.length; patterns.length > 0; take--) {
      const best = ["acme/payments", "acme/pay*", "acme/*", "*/*"][4 - take];
      assert.equal(match(...patterns), best);
      assert.equal(match(...patterns.toReversed()), best);
      patterns.splice(patterns.indexOf(best ?? ""), 1);
    }
  });

  it("may name the host, which makes it more specific", () => {
    assert.equal(match("acme/*", "github/acme/*", "gitlab/acme/payments"), "github/acme/*");
  });

  it("is the one without a wildcard even where that is the shorter, and letters count without case", () => {
    assert.equal(match("github/acme/pay*", "ACME/payments"), "ACME/payments");
  });

  it("is none for another owner, a longer path or a part of a name", () => {
    assert.equal(match("acm/*", "acme/pay", "*", "payments", "x/acme/payments"), null);
  });
});

describe("a ref matched with the watched branches and tags", () => {
  const on = { branches: ["main", "release/*"], tags: ["v*"] };
  const cases: [ref: string, given: Partial<RepoBounds>, watched: boolean, because: string][] = [
    ["refs/heads/main", {}, true, "branch main is watched"],
    ["refs/heads/release/1.x", {}, true, "branch release/1.x is watched"],
    ["refs/tags/v1.0.0", {}, true, "tag v1.0.0 is watched"],
    ["refs/heads/v1", {}, false, "the pipeline watches branch main, release/*, not v1"],
    ["refs/heads/release/1/x", {}, false, "the pipeline watches branch main, release/*, not release/1/x"],
    [
      "refs/heads/release/1",
      { branches: ["main"] },
      false,
      "branch release/1 is outside what the server allows acme/*: branch main",
    ],
    ["refs/tags/v1", { tags: [] }, false, "tag v1 is outside what the server allows acme/*: no tag"],
    ["refs/tags/v1", { branches: [] }, true, "tag v1 is watched"],
    ["refs/pull/1/head", {}, false, "refs/pull/1/head is neither a branch nor a tag"],
  ];
  for (const [ref, given, watched, because] of cases) {
    it(`${ref} ${watched ? "is watched" : `is not: ${because}`}`, () => {
      assert.deepEqual(watches(on, bounds(given), ref), { watched, because });
    });
  }
});
