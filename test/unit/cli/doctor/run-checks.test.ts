import assert from "node:assert/strict";
import type { Check, Finding } from "../../../../src/cli/doctor/check.ts";
import { findingText, skippedText } from "../../../../src/cli/doctor/report.ts";
import { runChecks } from "../../../../src/cli/doctor/run-checks.ts";
import { ConfigError, TransientError } from "../../../../src/delivery/errors.ts";

describe("The doctor's report", () => {
  const check = (part: string, run: Check["run"], more: Partial<Check> = {}): Check => ({
    group: "Registries",
    part,
    run,
    remedy: "Mend it.",
    ...more,
  });
  const fails = (text: string) => async () => {
    throw new Error(text);
  };
  const fine = async () => "fine";

  async function findingsOf(...checks: Check[]): Promise<Finding[]> {
    const found: Finding[] = [];
    for await (const findings of runChecks(checks)) found.push(...findings);
    return found;
  }
  const states = (findings: Finding[]) => findings.map(({ part, state, because }) => [part, state, because]);
  /** Nothing listens there. */
  const nowhere = new URL("http://127.0.0.1:1/path");

  it("does not run a check whose need failed, nor one that needs that check", async () => {
    let ran = 0;
    const counted = async () => String(++ran);
    const found = await findingsOf(
      check("engine", fails("down")),
      check("intake", counted, { needs: ["engine"] }),
      check("builds", counted, { needs: ["intake"] }),
      check("disk", fine),
    );
    assert.deepEqual(states(found), [
      ["engine", "fail", null],
      ["intake", "skipped", "engine"],
      ["builds", "skipped", "engine"],
      ["disk", "ok", null],
    ]);
    assert.equal(ran, 0);
    assert.equal(skippedText(found), "\nNot checked, because engine failed: intake, builds.");
  });

  it("runs a check whose need only warned", async () => {
    const warned = check("publicUrl", async () => ({ state: "warn", text: "hm", remedy: "Look." }));
    assert.deepEqual(states(await findingsOf(warned, check("hooks", fine, { needs: ["publicUrl"] }))), [
      ["publicUrl", "warn", null],
      ["hooks", "ok", null],
    ]);
  });

  it("reports a server that cannot be reached once, however many checks ask it", async () => {
    const found = await findingsOf(
      check("registry one", fine, { server: nowhere }),
      check("registry two", fine, { server: new URL("http://127.0.0.1:1/other") }),
    );
    assert.deepEqual(states(found), [
      ["registry one", "fail", null],
      ["registry two", "skipped", "registry one"],
    ]);
    assert.match(found[0]?.text ?? "", /^127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)$/);
  });

  it("reports once that no name server answers", async () => {
    const found = await findingsOf(
      check("host github", fails("getaddrinfo EAI_AGAIN api.github.com")),
      check("registry hub", fails("getaddrinfo EAI_AGAIN registry-1.docker.io")),
      check("redis", fails("ECONNREFUSED")),
    );
    assert.deepEqual(states(found), [
      ["host github", "fail", null],
      ["registry hub", "skipped", "host github"],
      ["redis", "fail", null],
    ]);
  });

  it("adds what to do, unless the error says it", async () => {
    const found = await findingsOf(
      check("plain", fails("it broke.")),
      check("config", () => Promise.reject(new ConfigError("bad-config", "key: wrong. Set it."))),
      check("limit", () => Promise.reject(new TransientError("github-unavailable", "GitHub answered 502"))),
    );
    assert.deepEqual(
      found.map((finding) => findingText(finding, "Registries")),
      [
        "fail  plain: it broke. Mend it.",
        "fail  config: key: wrong. Set it.",
        "fail  limit: GitHub answered 502. Mend it.",
      ],
    );
  });

  it("has a heading above the first line of each group", async () => {
    const [first] = await findingsOf(check("registry", fine));
    assert.ok(first);
    assert.equal(findingText(first, null), "Registries\nok    registry: fine");
    assert.equal(findingText(first, "Git hosts"), "\nRegistries\nok    registry: fine");
    assert.equal(findingText(first, "Registries"), "ok    registry: fine");
  });
});
