module.exports = {
  extension: ["ts"],
  "node-option": ["import=tsx"],
  recursive: true,
  timeout: 30_000,
  forbidOnly: Boolean(process.env.CI),
  exit: false,
};
