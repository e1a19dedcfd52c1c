import { webUrl } from "../../settings/scalars.ts";
import { ca, login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** A Maven repository for releases. */
export const maven = registryType({
  type: "maven",
  settings: { url: webUrl.describe("The URL of the repository, as in distributionManagement of a POM."), ...login, ca },
  secrets: ["password"],
  kinds: () => ["jar"],
  place: ({ url }) => placeByUrl("maven", url),
  open: async (...given) => (await import("./registry.ts")).mavenRegistry(...given),
});
