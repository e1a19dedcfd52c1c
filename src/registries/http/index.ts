import { orNull, token, webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Any server that takes files by PUT. */
export const http = registryType({
  type: "http",
  settings: {
    url: webUrl.describe("The URL of the folder that files are put into."),
    token: orNull(token).describe("A token instead of username and password; sent as Bearer."),
    ...login,
    ca,
  },
  secrets: ["token", "password"],
  kinds: () => ["file", "jar", "npm", "wheel"],
  namesArePaths: true,
  place: ({ url }) => placeByUrl("http", url),
  open: async (...given) => (await import("./registry.ts")).httpRegistry(...given),
});
