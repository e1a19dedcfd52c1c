import { originUrl, orNull, text } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Any registry that speaks OCI distribution. */
export const oci = registryType({
  type: "oci",
  settings: {
    url: originUrl.describe("Scheme, host and port of the registry, such as http://127.0.0.1:5000."),
    ...login,
    ca,
    checkRepository: orNull(text).describe(
      "The repository in which doctor tests the right to push. Left out: deliverd-check.",
    ),
  },
  secrets: ["password"],
  kinds: () => ["image"],
  place: ({ url }) => placeByUrl("oci", url),
  baseImageLogin: ({ url, publicUrl, username, password }, host) =>
    [url, publicUrl].some((one) => one !== null && new URL(one).host === host) && username !== null && password !== null
      ? { username, password }
      : null,
  open: async (...given) => (await import("./registry.ts")).ociRegistry(...given),
});
