import { orNull, secret, text, webUrl } from "../../settings/scalars.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Docker Hub: OCI distribution, whose tokens come from auth.docker.io. */
export const dockerHub = registryType({
  type: "docker-hub",
  settings: {
    /** Null: Docker Hub itself. Else what stands in for it, and images are pulled from there. */
    url: orNull(webUrl),
    username: text,
    password: secret,
    /** Null: `check` does not try the right to push. */
    checkRepository: orNull(text),
  },
  secrets: ["password"],
  kinds: () => ["image"],
  place: ({ url }) => placeByUrl("oci", url ?? "https://registry-1.docker.io"),
  // With a URL of its own it is not Docker Hub: its login must not be sent there.
  baseImageLogin: ({ url, username, password }, host) =>
    url === null && host === "docker.io" ? { username, password } : null,
  open: async (...given) => (await import("./registry.ts")).dockerHubRegistry(...given),
});
