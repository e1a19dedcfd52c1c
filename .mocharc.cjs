module.exports = {
  extension: ["ts"],
  "node-option": ["import=tsx", "no-experimental-require-module"],
  recursive: true,
  timeout: 60_000,
  forbidOnly: Boolean(process.env.CI),
  forbidPending: Boolean(process.env.CI),
  // A test that leaves a socket or a timer behind must not pass unseen: see scripts/reporter.cjs.
  exit: false,
};
