import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

// `npm run test:hosts`: the whole line against git hosts that are no stand-ins, as far as the environment names them.
const root = fileURLToPath(new URL("..", import.meta.url));
const HOSTS = [
  {
    variable: "DELIVERD_TEST_GITEA",
    file: "test/hosts/gitea.test.ts",
    what: "Gitea: the variable names neither its binary nor its URL (docs/guides/development.md says how to get one)",
  },
];

const found = HOSTS.filter(({ variable }) => Boolean(process.env[variable]));
for (const { variable, what } of HOSTS) {
  if (!process.env[variable]) process.stdout.write(`skipped (${variable}): ${what}\n`);
}
if (found.length > 0) {
  const { status } = spawnSync(
    process.execPath,
    [
      "node_modules/mocha/bin/mocha.js",
      "--require=test/support/engine/shared-engine.ts",
      ...found.map(({ file }) => file),
    ],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
  );
  process.exitCode = status ?? 1;
}
