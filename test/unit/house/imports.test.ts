import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findViolations } from "../../../scripts/imports.ts";
import { tempDir } from "../../support/processes/process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("imports run downward only", () => {
  it("in all sources", () => {
    assert.deepEqual(findViolations(root), []);
  });

  describe("and a wrong import is found:", () => {
    let copy: Awaited<ReturnType<typeof tempDir>>;

    /** What the planted files import: a target has to exist. */
    const targets = [
      ...["src/run/clock.ts", "src/hosts/host.ts", "workers/other.ts", "workers/deliver/lease.ts"],
      ...["src/registries/protocols/oci/client.ts", "src/registries/index.ts", "src/registries/other/b.ts"],
      "test/support/process.ts",
    ];
    beforeEach(async () => {
      copy = await tempDir();
      for (const file of targets) plant(file, "");
    });

    afterEach(() => copy.remove());

    function plant(file: string, text: string) {
      mkdirSync(dirname(join(copy.path, file)), { recursive: true });
      writeFileSync(join(copy.path, file), text);
    }

    const planted: [title: string, file: string, text: string, why: RegExp][] = [
      [
        "the domain reading a file",
        "src/delivery/planted.ts",
        'import { readFile } from "node:fs/promises";',
        /does no I\/O/,
      ],
      ["the domain asking for a package", "src/delivery/planted.ts", 'import express from "express";', /does no I\/O/],
      [
        "the domain reaching up, if only for a type",
        "src/delivery/planted.ts",
        'import type { Host } from "../hosts/host.ts";',
        /src\/delivery may import nothing of ours/,
      ],
      [
        "a re-export over several lines",
        "src/delivery/planted.ts",
        'export {\n  systemClock,\n} from "../run/clock.ts";',
        /src\/delivery may import/,
      ],
      ["a dynamic import", "src/delivery/planted.ts", 'const clock = await import("../run/clock.ts");', /may import/],
      [
        "a port reaching up to a worker",
        "src/hosts/planted.ts",
        'import "../../workers/other.ts";',
        /src\/hosts may import/,
      ],
      [
        "a worker reaching up to another room of workers",
        "workers/names/planted.ts",
        'import type { Lease } from "../deliver/lease.ts";',
        /workers\/names may import/,
      ],
      [
        "an evaluation entering the room of deliveries",
        "workers/evaluate/planted.ts",
        'import type { Lease } from "../deliver/lease.ts";',
        /workers\/evaluate may import/,
      ],
      [
        "one protocol of registries knowing another",
        "src/registries/protocols/npm/planted.ts",
        'import "../oci/client.ts";',
        /protocols\/npm may import/,
      ],
      ["the test support", "src/queue/planted.ts", 'import "../../test/support/process.ts";', /src\/queue may import/],
      [
        "an adapter knowing another adapter",
        "src/registries/planted/a.ts",
        'import "../other/b.ts";',
        /an adapter knows no other adapter/,
      ],
      [
        "an adapter knowing the list of all",
        "src/registries/planted/a.ts",
        'import "../index.ts";',
        /an adapter knows no list of adapters/,
      ],
      ["a room that the table lacks", "src/planted/a.ts", 'import "../run/clock.ts";', /stands in no room/],
    ];
    for (const [title, file, text, why] of planted) {
      it(title, () => {
        plant(file, text);
        const found = findViolations(copy.path).filter((line) => line.startsWith(`${file} imports `));
        assert.equal(found.length, 1, found.join("\n"));
        assert.match(found[0] ?? "", why);
      });
    }

    it("a circle of files, if only for a type and over a third file", () => {
      plant("src/delivery/one.ts", 'import "./two.ts";');
      plant("src/delivery/two.ts", 'import type { Three } from "./three.ts";');
      plant("src/delivery/three.ts", 'export * from "./one.ts";');
      const circles = findViolations(copy.path).filter((line) => line.startsWith("a circle of files:"));
      assert.deepEqual(circles, [
        "a circle of files: src/delivery/one.ts imports src/delivery/two.ts imports src/delivery/three.ts imports src/delivery/one.ts",
      ]);
    });

    it("by the command that CI runs, with its exit code", () => {
      plant("src/delivery/planted.ts", 'import "node:http";');
      plant("scripts/imports.ts", readFileSync(join(root, "scripts/imports.ts"), "utf8"));
      const done = spawnSync(process.execPath, ["--import=tsx", join(copy.path, "scripts/imports.ts")], {
        cwd: root,
        encoding: "utf8",
      });
      assert.equal(done.status, 1);
      assert.match(done.stderr, /src\/delivery\/planted\.ts imports node:http: src\/delivery does no I\/O/);
    });
  });
});
