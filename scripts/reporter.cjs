// mocha's own spec reporter, which also leaves the counts for scripts/test.mjs to close with.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

const patience = 20_000;

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = runner.stats;
      leaveCounts({ passes, failures, pending });
      // A test that leaves a socket or a timer behind would keep the run from ending, without a word.
      setTimeout(() => {
        console.error(
          `The tests are over, but something is still open: ${process.getActiveResourcesInfo().join(", ")}`,
        );
        leaveCounts({ passes, failures: failures + 1, pending });
        process.exit();
      }, patience).unref();
    });
  }
};

function leaveCounts(counts) {
  writeFileSync(process.env.DELIVERD_TEST_COUNTS, JSON.stringify(counts));
}
