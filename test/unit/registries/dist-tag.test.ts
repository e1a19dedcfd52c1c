import assert from "node:assert/strict";
import { distTagFor } from "../../../src/registries/protocols/npm/dist-tag.ts";

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
  ];
  for (const [version, tags, expected, title] of cases) {
    it(`is ${expected} for ${title}`, () => assert.equal(distTagFor(version, tags), expected));
  }
});
