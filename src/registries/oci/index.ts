import { orNull, text, webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

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
  baseImageLogin: ({ url, username, password }, host) =>
    new URL(url).host === host && username !== null && password !== null ? { username, password } : null,
  open: async (...given) => (await import("./registry.ts")).ociRegistry(...given),
});
