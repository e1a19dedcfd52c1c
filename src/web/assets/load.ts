/** A file that pages load. */
export interface Asset {
  /** Changes with the content. */
  path: string;
  type: string;
  text: string;
  /** Base64. */
  brotli: string;
}

/** The script and the style sheet of the pages. scripts/build.mjs replaces this module with its result. */
export async function loadAssets(): Promise<Asset[]> {
  // Only a checkout has this file, and it needs esbuild, which is no dependency of the server.
  const builder = new URL("../../../scripts/assets.mjs", import.meta.url).href;
  const { buildAssets } = (await import(builder)) as { buildAssets(): Promise<Asset[]> };
  return buildAssets();
}
