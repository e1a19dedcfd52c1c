import { webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** A Maven repository for releases. */
export const maven = registryType({
  type: "maven",
  settings: { url: webUrl, ...login, ca },
  secrets: ["password"],
  kinds: () => ["jar"],
  place: ({ url }) => placeByUrl("maven", url),
  open: async (...given) => (await import("./registry.ts")).mavenRegistry(...given),
});
