import { orNull, secret, webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** PyPI and every index that twine can upload to. */
export const pypi = registryType({
  type: "pypi",
  settings: {
    /** Takes uploads. */
    url: webUrl,
    /** Of the simple repository API. */
    index: webUrl,
    token: orNull(secret),
    ...login,
    ca,
  },
  secrets: ["token", "password"],
  kinds: () => ["wheel"],
  place: ({ url }) => placeByUrl("pypi", url),
  open: async (...given) => (await import("./registry.ts")).pypiRegistry(...given),
});
