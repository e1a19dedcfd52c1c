import { orNull, token, webUrl } from "../../settings/scalars.ts";
import { ca } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Any registry that npm can publish to. */
export const npm = registryType({
  type: "npm",
  settings: {
    url: orNull(webUrl).describe("The URL of the registry. Left out: npm's own public registry."),
    token: token.describe("An access token that may publish; sent as Bearer."),
    ca,
  },
  secrets: ["token"],
  kinds: () => ["npm"],
  place: async ({ url }) => placeByUrl("npm", url ?? (await (await import("./registry.ts")).publicRegistry())),
  open: async (...given) => (await import("./registry.ts")).npmRegistry(...given),
});
