import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { MISTAKES } from "./list.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Bundles the threads of simulations with every mistake of the list, each behind a switch that is off. The sources
 * stay as they are: only this bundle has the mistakes. @returns the file
 */
export async function bundleThread(): Promise<string> {
  // Below node_modules, so that the packages are found from there.
  const outfile = join(root, "node_modules/.cache/deliverd-simulation", `thread-${process.pid}.mjs`);
  await build({
    ...{ absWorkingDir: root, entryPoints: ["test/simulation/thread.ts"], outfile, bundle: true, format: "esm" },
    ...{ platform: "node", target: "node20.19", packages: "external", sourcemap: "inline", logLevel: "warning" },
    plugins: [planting],
  });
  return outfile;
}

const planting: Plugin = {
  name: "planting",
  setup({ onLoad }) {
    onLoad({ filter: /\/(?:src|workers)\/.*\.ts$/ }, async ({ path }) => {
      const edits = MISTAKES.filter(({ file }) => join(root, file) === path);
      if (edits.length === 0) return undefined;
      return { contents: edits.reduce(plant, await readFile(path, "utf8")), loader: "ts" };
    });
  },
};

/** @throws Error if the text is not there exactly once: then the list is out of date */
function plant(source: string, { name, file, find, put, as }: (typeof MISTAKES)[number]): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`${file} has "${find}" ${parts.length - 1} times, for the mistake "${name}"`);
  const isOn = `(globalThis as any).plantedMistake === ${JSON.stringify(name)}`;
  return parts.join(
    {
      expression: `(${isOn} ? (${put}) : (${find}))`,
      statement: `if (${isOn}) { ${put} } else { ${find} }`,
      arguments: `...(${isOn} ? [${put}] : [${find}])`,
    }[as],
  );
}
