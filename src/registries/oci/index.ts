import { orNull, text, webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";
import { ociRegistry } from "./registry.ts";

/** Any registry that speaks OCI distribution. */
export const oci = registryType({
  type: "oci",
  settings: {
    url: webUrl,
    ...login,
    ca,
    /** Where `check` tries the right to push; null: `deliverd-check`. */
    checkRepository: orNull(text),
  },
  secrets: ["password"],
  kinds: () => ["image"],
  place: ({ url }) => placeByUrl("oci", url),
  baseImageLogin: ({ url, publicUrl, username, password }, host) =>
    [url, publicUrl].some((one) => one !== null && new URL(one).host === host) && username !== null && password !== null
      ? { username, password }
      : null,
  open: async (...given) => ociRegistry(...given),
});
