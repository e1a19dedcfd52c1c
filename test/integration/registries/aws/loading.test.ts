import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Opens every type, then uses one of AWS's; says after each whether anything of the SDK is loaded. */
const script = `
import { createRequire } from "node:module";
import { openRegistries } from "./src/registries/index.ts";
import { Store } from "./src/store/store.ts";
const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("@aws-sdk"));
const region = "eu-west-1";
const account = "123456789012";
const registries = await openRegistries({
  local: { type: "oci", url: "http://127.0.0.1:1" },
  ecr: { type: "ecr", region, account, createRepositories: true, movingTags: [], checkRepository: null },
  ca: { type: "codeartifact", region, domain: "acme", domainOwner: account, repository: "main" },
  amis: { type: "ami", region, architecture: "x86_64", bootMode: null, rootDevice: "/dev/xvda" },
}, { store: new Store("/nowhere") });
await registries.get("local").check().catch(() => {});
const before = isLoaded();
await registries.get("amis").check().catch(() => {});
console.log(JSON.stringify([before, isLoaded()]));
`;

describe("AWS's SDK", () => {
  it("is loaded only if a registry of AWS is used", async () => {
    const env = {
      PATH: process.env.PATH,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    };
    const args = ["--import=tsx", "--input-type=module", "--eval", script];
    const { stdout } = await run(process.execPath, args, { env });
    assert.deepEqual(JSON.parse(stdout), [false, true]);
  });
});
