import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { promtool } from "../../support/processes/promtool.ts";
import { anchorsOf, codeIn, root, rowsOf, textOf } from "../docs/pages.ts";

const folder = join(root, "deploy/monitoring");

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
interface Panel {
  type: string;
  title: string;
  targets?: { expr: string }[];
}

const { groups } = parse(readFileSync(join(folder, "alerts.yml"), "utf8")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(readFileSync(join(folder, "dashboard.json"), "utf8")) as { panels: Panel[] };
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

describe("deploy/monitoring", () => {
  it("has rules and a configuration that Prometheus takes", async () => {
    assert.match(await promtool(["check", "rules", join(folder, "alerts.yml")]), /SUCCESS/);
    assert.match(await promtool(["check", "config", join(folder, "prometheus.yml")]), /SUCCESS/);
  });

  it("has alerts that fire when they must, and only then", async () => {
    assert.match(await promtool(["test", "rules", join(folder, "alerts.test.yml")]), /SUCCESS/);
    const tested = new Set(
      [...readFileSync(join(folder, "alerts.test.yml"), "utf8").matchAll(/alertname: (\w+)/g)].map(([, name]) => name),
    );
    const pages = rules.filter((rule) => rule.labels.severity === "page").map((rule) => rule.alert);
    assert.deepEqual(
      pages.filter((name) => !tested.has(name)),
      [],
      "an alert that wakes people has no test",
    );
  });

  it("has a runbook for every alert, and no runbook without one", () => {
    const page = "docs/guides/operations/alerts.md";
    for (const { alert, annotations, labels } of rules) {
      assert.equal(annotations.runbook, `${page}#${alert.toLowerCase()}`);
      assert.ok(["page", "ticket"].includes(labels.severity), alert);
    }
    const anchors = [...anchorsOf(textOf(page))].filter((anchor) => anchor.startsWith("deliverd"));
    assert.deepEqual(anchors.sort(), rules.map(({ alert }) => alert.toLowerCase()).sort());
  });

  it("asks only for metrics and labels that deliverd exports", () => {
    const rows = rowsOf(textOf("docs/reference/metrics.md"));
    const exported = rows.flatMap(([name = "", type = ""]) => {
      const [metric = ""] = codeIn(name);
      return type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => metric + end) : [metric];
    });
    const known = new Set([...exported, "up"]);
    const asked = [...rules.map(({ expr }) => expr), ...queries];
    assert.ok(asked.length > 40, `${asked.length} expressions`);
    const names = asked.flatMap((expr) => [...expr.matchAll(/\b(?:deliverd|process)_\w+|\bup\b/g)].map(([one]) => one));
    assert.deepEqual([...new Set(names)].filter((name) => !known.has(name)).sort(), []);
    const labels = new Set(["job", "instance", "le", ...rows.flatMap(([, , of = ""]) => codeIn(of))]);
    const used = asked.flatMap((expr) => [
      ...[...expr.matchAll(/(\w+)\s*(?:=~|!=|!~|=)\s*"/g)].map(([, label = ""]) => label),
      ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/)),
    ]);
    assert.deepEqual([...new Set(used)].filter((label) => !labels.has(label)).sort(), []);
  });

  it("has a dashboard whose queries Prometheus can parse, and that shows every metric", async () => {
    const dir = await mkdtemp(join(tmpdir(), "dd-"));
    try {
      const recorded = queries.map((expr, at) => ({ record: `panel_${at}`, expr: expr.replaceAll("$instance", "x") }));
      await writeFile(join(dir, "rules.yml"), stringify({ groups: [{ name: "panels", rules: recorded }] }));
      const said = await promtool(["check", "rules", join(dir, "rules.yml")]);
      assert.match(said, new RegExp(`SUCCESS: ${queries.length} rules found`));
    } finally {
      await rm(dir, { recursive: true });
    }
    const shown = queries.join("\n");
    const metrics = rowsOf(textOf("docs/reference/metrics.md")).flatMap(([name = ""]) => codeIn(name));
    assert.deepEqual(
      metrics.filter((name) => !shown.includes(name)),
      [],
    );
    assert.deepEqual(new Set(panels.map(({ type }) => type)), new Set(["row", "stat", "timeseries"]));
  });
});
