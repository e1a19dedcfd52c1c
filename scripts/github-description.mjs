// Renews test/support/hosts/github/description.json.br, GitHub's description of its own API, by which our stand-in for
// GitHub checks every call: `node scripts/github-description.mjs <version of @octokit/openapi>`. The package is no
// dependency: it holds the descriptions of every GitHub Enterprise, too, and takes 385 MB where this file takes 0.4 MB.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const [version] = process.argv.slice(2);
if (version === undefined) throw new Error("Name the version of @octokit/openapi, such as 23.0.2.");
const target = fileURLToPath(new URL("../test/support/hosts/github/description.json.br", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "dd-"));
try {
  const packed = execFileSync("npm", ["pack", "--silent", `@octokit/openapi@${version}`], { cwd: dir })
    .toString()
    .trim();
  execFileSync("tar", ["--extract", "--file", packed, "package/generated/api.github.com.json"], { cwd: dir });
  const text = readFileSync(join(dir, "package/generated/api.github.com.json"));
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  writeFileSync(target, brotliCompressSync(text, { params }));
  console.log(`${target} is that of @octokit/openapi ${version}`);
} finally {
  rmSync(dir, { recursive: true });
}
