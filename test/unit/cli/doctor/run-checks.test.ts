import assert from "node:assert/strict";
import type { Check, Finding } from "../../../../src/cli/doctor/check.ts";
import { findingText, skippedText } from "../../../../src/cli/doctor/report.ts";
import { runChecks } from "../../../../src/cli/doctor/run-checks.ts";
import type { Screen } from "../../../../src/cli/terminal.ts";
import { ConfigError, TransientError } from "../../../../src/delivery/errors.ts";

const PLAIN: Screen = { isTerminal: false, width: Number.POSITIVE_INFINITY, hasColor: false };

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
      found.map((finding) => findingText(PLAIN, finding, "Registries")),
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
    assert.equal(findingText(PLAIN, first, null), "Registries\nok    registry: fine");
    assert.equal(findingText(PLAIN, first, "Git hosts"), "\nRegistries\nok    registry: fine");
    assert.equal(findingText(PLAIN, first, "Registries"), "ok    registry: fine");
  });

  it("colours the word only where the screen has colours, and lets no control sequence of a server through", async () => {
    const [finding] = await findingsOf(check("registry", fails("it said \u001b[2Jgone"), { remedy: "Mend it." }));
    assert.ok(finding);
    const plain = "fail  registry: it said gone. Mend it.";
    assert.equal(findingText(PLAIN, finding, "Registries"), plain);
    const coloured = findingText({ ...PLAIN, isTerminal: true, hasColor: true }, finding, "Registries");
    assert.equal(coloured, plain.replace("fail  ", "\u001b[31mfail  \u001b[39m"));
  });
});
