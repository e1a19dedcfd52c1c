import assert from "node:assert/strict";
import { requireDistinctNames } from "../../../src/delivery/distinct-names.ts";
import type { ArtifactKind, ArtifactPlan, Destination } from "../../../src/delivery/types.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";

const REPO = { owner: "acme", name: "api" };

const artifact = (name: string, publish: Destination, kind: ArtifactKind = "image") =>
  artifactPlan({ name, kind, publish: [publish] });
const to = (as: string | null, tags: string[] = [], registry = "local"): Destination => ({ to: registry, as, tags });
const check = (...artifacts: ArtifactPlan[]) =>
  requireDistinctNames(artifacts, REPO, (registry) => ({
    shelving: registry === "files" ? "path" : "package",
    place: registry.replace(/-again$/, ""),
  }));

describe("Two artifacts of a pipeline", () => {
  const clashes: [string, Destination, Destination][] = [
    ["one tag template", to("acme/api", ["{version}"]), to("acme/api", ["{version}"])],
    ["one moving name", to("acme/api", ["sha-{sha}-a", "latest"]), to("acme/api", ["sha-{sha}-b", "latest"])],
    ["one repository by two spellings", to("acme/{repo}", ["{branch}"]), to("{owner}/api", ["{branch}"])],
    ["one tag once it is written", to("acme/api", ["a+{branch}"]), to("acme/api", ["a-{branch}"])],
  ];
  for (const [title, one, two] of clashes) {
    it(`may not publish under ${title}`, () => {
      assert.throws(() => check(artifact("front", one), artifact("back", two)), {
        name: "UserError",
        code: "name-shared",
        message: /^artifacts "front" and "back" both publish as /,
      });
    });
  }

  it("may publish side by side in one repository, in two registries, or under {artifact}", () => {
    check(artifact("a", to("acme/api", ["a-{branch}"])), artifact("b", to("acme/api", ["b-{branch}"])));
    check(artifact("a", to("acme/api", ["{branch}"])), artifact("b", to("acme/api", ["{branch}"], "second")));
    check(artifact("a", to("acme/{artifact}", ["latest"])), artifact("b", to("acme/{artifact}", ["latest"])));
    // These meet only where a branch is called so.
    check(artifact("a", to("acme/api", ["edge"])), artifact("b", to("acme/api", ["{branch}"])));
  });

  it("may not publish under one name through two keys of one registry", () => {
    const publish = to("acme/api", ["{version}"]);
    assert.throws(() => check(artifact("front", publish), artifact("back", { ...publish, to: "local-again" })), {
      code: "name-shared",
      message: /to "local" and "local-again", which are one place, but a name holds one content only\./,
    });
    check(artifact("front", to("acme/api", ["{version}"])), artifact("front", { ...publish, to: "local-again" }));
  });

  it("may not be one package, and may have one path of a store that keeps each by its own name", () => {
    const npm = (name: string, registry: string) => artifact(name, to("@acme/api", [], registry), "npm");
    assert.throws(() => check(npm("a", "npm"), npm("b", "npm")), { code: "name-shared" });
    check(npm("a", "files"), npm("b", "files"));
    check(artifact("a", to(null), "npm"), artifact("b", to(null), "npm"));
  });
});
