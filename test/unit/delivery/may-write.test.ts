import assert from "node:assert/strict";
import fc from "fast-check";
import { mayWrite, type NameRequest, type StandingName } from "../../../src/delivery/may-write.ts";

const REQUEST: NameRequest = {
  ...{ registry: "local", repository: "acme/api", tag: "1.2.3", immutable: true },
  ...{ repoId: "github:1", artifact: "api", digest: "sha256:a" },
};
const standing = (given: Partial<StandingName>): StandingName => ({ ...REQUEST, digest: "sha256:b", ...given });

describe("the ownership of a name in a registry", () => {
  it("whoever comes first, where nothing stands", () => {
    for (const immutable of [true, false])
      assert.deepEqual(mayWrite({ ...REQUEST, immutable }, null, null), { kind: "free", ours: [] });
  });

  it("an immutable name takes the place of a moving one, and of nothing but what deliverd put there", () => {
    const moving = standing({ immutable: false });
    assert.deepEqual(mayWrite(REQUEST, moving, null), { kind: "free", ours: ["sha256:b"] });
    const unfinished = { immutable: false, repoId: "github:1", digests: ["sha256:c"] };
    assert.deepEqual(mayWrite(REQUEST, moving, unfinished), { kind: "free", ours: ["sha256:b", "sha256:c"] });
  });

  it("nobody, where an immutable name stands for another content", () => {
    for (const immutable of [true, false]) {
      const answer = mayWrite({ ...REQUEST, immutable }, standing({}), null);
      assert.equal(
        answer.kind === "taken" && answer.because.startsWith("acme/api:1.2.3 in local stands for api"),
        true,
      );
    }
  });

  it("not a second artifact, though its bytes are the same", () => {
    const same = standing({ digest: REQUEST.digest, artifact: "other" });
    assert.equal(mayWrite(REQUEST, same, null).kind, "taken");
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, same, null).kind, "stands");
  });

  it("a moving name not, while an immutable one of its repo is on its way", () => {
    const unfinished = { immutable: true, repoId: "github:1", digests: [] };
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, null, unfinished).kind, "taken");
    const others = { ...unfinished, repoId: "github:2" };
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, null, others).kind, "free");
  });

  it("a moving name of a shared repository is its first repo's", () => {
    const theirs = standing({ immutable: false, repoId: "github:2" });
    assert.equal(mayWrite({ ...REQUEST, immutable: false }, theirs, null).kind, "another-repos");
    assert.equal(mayWrite(REQUEST, theirs, null).kind, "free");
  });

  const digest = fc.constantFrom("sha256:a", "sha256:b", "sha256:c");
  const request = fc.record({
    ...{ immutable: fc.boolean(), digest, artifact: fc.constantFrom("api", "web") },
    repoId: fc.constantFrom("github:1", "github:2"),
  });

  it("in whatever order they come, the first immutable content stays", () => {
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
