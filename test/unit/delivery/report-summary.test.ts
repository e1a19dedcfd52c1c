import assert from "node:assert/strict";
import fc from "fast-check";
import { annotationsIn, reportSummary } from "../../../src/delivery/report-summary.ts";
import type { Release } from "../../../src/delivery/types.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const release: Release = {
  ...{
    id: "r",
    artifact: "api",
    kind: "image",
    version: "1.2.3",
    versions: ["1.2.3", "1.2.4"],
    repo: "github/acme/api",
  },
  ...{ sha: "b".repeat(40), ref: "refs/heads/main", digest: DIGEST, committedAt: "", releasedAt: "", deliveryId: "d" },
  ...{ files: [], package: null },
  locations: [
    {
      ...{
        registry: "hub",
        repository: "acme/api",
        tag: "1.2.3",
        digest: DIGEST,
        url: "https://hub.example.com/acme/api",
      },
      pull: `docker pull hub.example.com/acme/api@${DIGEST}`,
    },
  ],
};
const facts = { because: "released 1.2.3", createdAt: 0, startedAt: 12_000, finishedAt: 75_400, releases: [release] };

describe("the summary of a report", () => {
  it("says what was released, where it is, how to pull it, and how long it took", () => {
    assert.equal(
      reportSummary(facts),
      [
        "```\nreleased 1.2.3\n```",
        "**`api`** `1.2.3`, `1.2.4`",
        `- \`${DIGEST}\`\n- \`pkg:oci/api@${DIGEST}?repository_url=hub.example.com%2Facme%2Fapi\`\n- \`acme/api:1.2.3\` in \`hub\``,
        `\`\`\`\ndocker pull hub.example.com/acme/api@${DIGEST}\n\`\`\``,
        "Waited 12 s, then built and published in 63 s.",
      ].join("\n\n"),
    );
  });

  it("shows no text of others as Markdown: the fence around it is longer than any in it", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a`\n]{0,30}$/), (because) => {
        const [first = "", ...lines] = reportSummary({ ...facts, because, releases: [], startedAt: null }).split("\n");
        assert.match(first, /^`{3,}$/);
        const end = lines.indexOf(first);
        assert.equal(end, lines.length - 1, "nothing before its last line closes it");
        assert.equal(lines.slice(0, -1).join("\n"), because);
      }),
    );
  });

  it("is cut before the longest that a host takes", () => {
    assert.ok(reportSummary({ ...facts, because: "x".repeat(100_000) }).length < 65_535);
  });
});

describe("the annotations of a report", () => {
  it("are the lines of a message that name a file and a line in it", () => {
    const message = [
      ".deliverd.yml:4: artifacts[0].kind: found 'imag'; expected image",
      "see the manual: page 3:",
      "images/Dockerfile, line 2 (RUUN): unknown instruction: RUUN",
      "Dockerfile, line 7: the file ends too early",
      "build step 'RUN make' failed with exit code 2 (docker/Dockerfile:5)",
      "somebody's output (src/app.js:12)",
    ].join("\n");
    assert.deepEqual(annotationsIn(message), [
      { path: ".deliverd.yml", line: 4, message: "artifacts[0].kind: found 'imag'; expected image" },
      { path: "images/Dockerfile", line: 2, message: "unknown instruction: RUUN" },
      { path: "Dockerfile", line: 7, message: "the file ends too early" },
      { path: "docker/Dockerfile", line: 5, message: "build step 'RUN make' failed with exit code 2" },
    ]);
  });

  it("are none for a URL, a time, an absolute path or a line without text", () => {
    for (const text of [
      "https://a:8080: b",
      "at 12:30: x",
      "/etc/passwd:1: x",
      "a.yml:0: x",
      "a.yml:3:",
      "a.yml: x",
      "/d, line 2: x",
      "d, line 0: x",
    ])
      assert.deepEqual(annotationsIn(text), [], text);
  });
});
