// Builds `dist/`: the command line as one file a start, and beside it what it loads when that is first used.
// Arguments are further entries, as the peers of the bench that use parts of ours.
import { readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildAssets } from "./assets.mjs";
import { EXTERNAL } from "./external.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * A quarter of what a start would read, and nothing calls it: body-parser takes no charset but UTF and Latin-1; no job of
 * ours repeats by a calendar, and none is kept in PostgreSQL.
 */
const UNCALLED =
  /node_modules\/(iconv-lite\/encodings\/dbcs-data|cron-parser\/dist\/index|bullmq\/dist\/cjs\/postgres\/index)\.js$/;
const uncalled = {
  name: "uncalled",
  setup: ({ onLoad }) => onLoad({ filter: UNCALLED }, () => ({ contents: "module.exports = {};" })),
};

/** Express builds two maps of all 2,522 media types at a start. These are those that a server of pages and JSON may send. */
const commonMediaTypes = {
  name: "common-media-types",
  setup: ({ onLoad }) =>
    onLoad({ filter: /node_modules\/mime-db\/db\.json$/ }, async ({ path }) => {
      const all = Object.entries(JSON.parse(await readFile(path, "utf8")));
      const isCommon = ([type, { extensions }]) =>
        extensions !== undefined && /^(?:application|image|text)\/(?!vnd\.|prs\.)/.test(type);
      return { contents: JSON.stringify(Object.fromEntries(all.filter(isCommon))), loader: "json" };
    }),
};

/**
 * Packages outside the bundle are CommonJS. Node scans one for the names of its exports if it is imported, and not if it is
 * required.
 */
const externalByRequire = {
  name: "external-by-require",
  setup({ onResolve, onLoad }) {
    const filter = /^(?:libsql|dockerode)$/;
    const namespace = "external-by-require";
    onResolve({ filter }, ({ path, kind }) =>
      kind === "require-call" ? { path, external: true } : { path, namespace },
    );
    onLoad({ filter, namespace }, ({ path }) => ({ contents: `module.exports = require(${JSON.stringify(path)});` }));
  },
};

/** The bundle holds what the pages load. */
const pageAssets = {
  name: "page-assets",
  setup: ({ onLoad }) =>
    onLoad({ filter: /src\/web\/assets\/load\.ts$/ }, async () => {
      const assets = JSON.stringify(await buildAssets());
      return { contents: `const assets = ${assets}; export const loadAssets = async () => assets;`, loader: "js" };
    }),
};

await rm(`${root}/dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ["src/cli/index.ts", ...process.argv.slice(2)],
  outbase: ".",
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: "linked",
  minifyWhitespace: true,
  minifySyntax: true,
  // Node shows the line on which a process died.
  lineLimit: 200,
  external: EXTERNAL,
  // What CommonJS packages call.
  banner: {
    js: 'import { createRequire as createRequireOf } from "node:module"; const require = createRequireOf(import.meta.url);',
  },
  plugins: [uncalled, commonMediaTypes, externalByRequire, pageAssets],
  logLevel: "warning",
});
