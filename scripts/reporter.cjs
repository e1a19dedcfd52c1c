// mocha's own spec reporter, which also leaves the counts and the failures for scripts/test.mjs to close with.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

const patience = 20_000;

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const failures = [];
    runner.on("fail", (test, { message }) => failures.push(`${test.fullTitle()}\n  ${message}`));
    runner.once("end", () => {
      const { passes: passed, pending: skipped } = runner.stats;
      leaveCounts({ passed, skipped, failures });
      // A test that leaves a socket or a timer behind would keep the run from ending, without a word.
      setTimeout(() => {
        const open = `something is still open: ${process.getActiveResourcesInfo().join(", ")}`;
        console.error(`The tests are over, but ${open}`);
        leaveCounts({ passed, skipped, failures: [...failures, `after the last test: ${open}`] });
        process.exit();
      }, patience).unref();
    });
  }
};

function leaveCounts(counts) {
  writeFileSync(process.env.DELIVERD_TEST_COUNTS, JSON.stringify(counts));
}
