import { Router } from "express";
import { once } from "../../async/once.ts";
import { type Asset, loadAssets } from "./load.ts";

/** Where the pages find what they load. */
export interface AssetPaths {
  script: string;
  style: string;
}

export interface Assets {
  paths(): Promise<AssetPaths>;
  router: Router;
}

export function openAssets(): Assets {
  const load = once(loadAssets);
  const router = Router({ caseSensitive: true, strict: true });
  router.get("/assets/:name", async (request, response, next) => {
    const asset = (await load()).find(({ path }) => path === request.path);
    if (asset === undefined) return next();
    // The name changes with the content. Nothing secret is in it, so any cache may keep it.
    response.set({
      "content-type": asset.type,
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
    });
    if (request.acceptsEncodings("br") !== "br") return void response.end(asset.text);
    response.set("content-encoding", "br").end(Buffer.from(asset.brotli, "base64"));
  });
  return {
    router,
    async paths() {
      const assets = await load();
      return { script: pathOf(assets, "js"), style: pathOf(assets, "css") };
    },
  };
}

function pathOf(assets: Asset[], extension: string): string {
  return assets.find(({ path }) => path.endsWith(`.${extension}`))?.path ?? "";
}
