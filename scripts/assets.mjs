// What the pages load besides their HTML: one script and one style sheet, each under a name that changes with its content.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const web = fileURLToPath(new URL("../src/web", import.meta.url));

/** @returns {Promise<{ path: string, type: string, text: string, brotli: string }[]>} brotli in base64 */
export async function buildAssets() {
  const { outputFiles } = await build({
    absWorkingDir: web,
    entryPoints: { app: "client/app.ts", style: "assets/style.css" },
    outdir: "out",
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["es2022", "chrome123", "firefox121", "safari17.5"],
    logLevel: "error",
  });
  return outputFiles.map(({ path, contents, text }) => {
    const [, name, extension] = /([a-z]+)\.(js|css)$/.exec(path);
    const hash = createHash("sha256").update(contents).digest("hex").slice(0, 12);
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    return {
      path: `/assets/${name}-${hash}.${extension}`,
      type: extension === "js" ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8",
      text,
      brotli: brotliCompressSync(contents, quality).toString("base64"),
    };
  });
}
