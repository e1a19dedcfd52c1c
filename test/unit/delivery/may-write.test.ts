import assert from "node:assert/strict";
import fc from "fast-check";
import { mayWrite, type NameRequest, type StandingName } from "../../../src/delivery/may-write.ts";

const REQUEST: NameRequest = {
  ...{ registry: "local", repository: "acme/api", tag: "1.2.3", immutable: true },
  ...{ repoId: "github:1", artifact: "api", digest: "sha256:a" },
};
const standing = (given: Partial<StandingName>): StandingName => ({ ...REQUEST, digest: "sha256:b", ...given });

describe("the ownership of a name in a registry", () => {
  it("goes to the first writer of a free name", () => {
    for (const immutable of [true, false])
      assert.deepEqual(mayWrite({ ...REQUEST, immutable }, null, null), { kind: "free", ours: [] });
  });

  it("lets an immutable name replace a moving one, but only content that deliverd wrote", () => {
    const moving = standing({ immutable: false });
    assert.deepEqual(mayWrite(REQUEST, moving, null), { kind: "free", ours: ["sha256:b"] });
    const unfinished = { immutable: false, repoId: "github:1", digests: ["sha256:c"] };
    assert.deepEqual(mayWrite(REQUEST, moving, unfinished), { kind: "free", ours: ["sha256:b", "sha256:c"] });
  });

  it("refuses other content under an immutable name", () => {
    for (const immutable of [true, false]) {
      const answer = mayWrite({ ...REQUEST, immutable }, standing({}), null);
      assert.equal(answer.kind === "taken" && answer.because.startsWith("acme/api:1.2.3 in local holds api"), true);
    }
  });

  it("refuses a second artifact, even with the same bytes", () => {
    const same = standing({ digest: REQUEST.digest, artifact: "other" });
    assert.equal(mayWrite(REQUEST, same, null).kind, "taken");
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, same, null).kind, "stands");
  });

  it("refuses a moving name while an immutable one of the same repo is being written", () => {
    const unfinished = { immutable: true, repoId: "github:1", digests: [] };
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, null, unfinished).kind, "taken");
    const others = { ...unfinished, repoId: "github:2" };
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, null, others).kind, "free");
  });

  it("keeps a moving name of a shared repository for the first repo that wrote it", () => {
    const theirs = standing({ immutable: false, repoId: "github:2" });
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, theirs, null).kind, "another-repos");
    assert.equal(mayWrite(REQUEST, theirs, null).kind, "free");
  });

  const digest = fc.constantFrom("sha256:a", "sha256:b", "sha256:c");
  const request = fc.record({
    ...{ immutable: fc.boolean(), digest, artifact: fc.constantFrom("api", "web") },
    repoId: fc.constantFrom("github:1", "github:2"),
  });

  it("keeps the first immutable content in any order of writes", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
        let now: StandingName | null = null;
        let fixed: string | null = null;
        for (const each of requests) {
          const wish: NameRequest = { ...REQUEST, ...each };
          const answer = mayWrite(wish, now, null);
          if (answer.kind === "free") now = wish;
          if (answer.kind !== "taken" && each.immutable) fixed ??= each.digest;
          if (fixed !== null) assert.equal(now?.digest, fixed);
        }
      }),
    );
  });
});
