import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sourceFiles } from "../../../scripts/imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const text = readFileSync(join(root, "docs/reference/http-api.md"), "utf8");
const commands = readFileSync(join(root, "docs/reference/command-line.md"), "utf8");

describe("The reference of the API and the command line", () => {
  it("has every route that is served, and no other", () => {
    const told = [...text.matchAll(/^\| `([A-Z]+ \/[^`]*)` \|/gm)].map(([, route = ""]) => route);
    assert.deepEqual(told.sort(), servedRoutes().sort());
  });

  it("has every command, and no other", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import=tsx", "src/cli/index.ts", "--help"], {
      cwd: root,
    });
    const list = stdout.slice(stdout.indexOf("Commands:"));
    const served = [...list.matchAll(/^ {2}([a-z]+) /gm)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "help");
    const told = [...commands.matchAll(/^\| `deliverd ([a-z]+)/gm)].map(([, name = ""]) => name);
    assert.ok(served.length > 5, stdout);
    assert.deepEqual(told.sort(), served.sort());
  });

  it("has every state of a delivery, and no other", () => {
    const types = readFileSync(join(root, "src/delivery/types.ts"), "utf8");
    const [, union = ""] = /type DeliveryState =([^;]+);/.exec(types) ?? [];
    const [, told = ""] = /States: ([^.]+)\./.exec(text) ?? [];
    const words = (of: string, quote: string) =>
      [...of.matchAll(new RegExp(`${quote}([a-z]+)${quote}`, "g"))].map(([, word]) => word);
    assert.deepEqual(words(told, "`").sort(), words(union, '"').sort());
  });
});

function servedRoutes(): string[] {
  const routed = sourceFiles(root)
    .filter((file) => /^src\/(?:api|web|receiver)\//.test(file))
    .flatMap((file) => {
      const source = readFileSync(join(root, file), "utf8");
      const served = source.matchAll(/router\.(get|post)\(\s*"([^"]+)"/g);
      const declared = source.matchAll(/method: "(get|post)",\s*path: "([^"]+)"/g);
      return [...served, ...declared].map(([, method = "", path = ""]) => `${method.toUpperCase()} ${path}`);
    });
  // The webhooks' is a plain handler, which reads the path by itself.
  return ["POST /webhooks/:host", ...routed];
}
