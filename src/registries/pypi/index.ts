import { orNull, token, webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** PyPI and every index that twine can upload to. */
export const pypi = registryType({
  type: "pypi",
  settings: {
    url: webUrl.describe("The URL that takes uploads, such as https://upload.pypi.org/legacy/."),
    index: webUrl.describe("The URL of the simple repository API, such as https://pypi.org/simple/."),
    token: orNull(token).describe("An API token instead of username and password."),
    ...login,
    ca,
  },
  secrets: ["token", "password"],
  kinds: () => ["wheel"],
  place: ({ url }) => placeByUrl("pypi", url),
  open: async (...given) => (await import("./registry.ts")).pypiRegistry(...given),
});
