import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { begin, settled } from "../faults/support.ts";
import { image, pipeline, startWorld } from "../support/world/world.ts";

describe("A build with a log of 1 GB", function () {
  this.timeout(900_000);

  it("stores 10 MB of it and a note, in bounded memory", async () => {
    const world = await startWorld();
    try {
      const line = "0123456789".repeat(7);
      const flood = `busybox yes ${line} | busybox head -c 1000000000`;
      const repo = await world.repo("loud", {
        Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "PATH=/bin; ${flood}"]\n`,
        ".deliverd.yml": pipeline([image("loud")]),
      });
      const one = await begin(world, repo);
      await settled(world, [one], { within: 600_000 });
      const log = await world.log(repo, one.sha);
      assert.ok(log.length < 10.5 * 2 ** 20, `${log.length} bytes`);
      assert.match(log, /clipped|the log ends here/);
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${world.deliverd.pid()}/status`, "utf8"))?.[1];
      assert.ok(Number(peak) < 512 * 1024, `${peak} kB`);
      assert.deepEqual(world.github.violations, []);
    } finally {
      await world.stop();
    }
  });
});
