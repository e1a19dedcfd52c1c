import { Refused } from "../../delivery/errors.ts";
import { originUrl, orNull, secret, text } from "../../settings/scalars.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Docker Hub: OCI distribution, whose tokens come from auth.docker.io. */
export const dockerHub = registryType({
  type: "docker-hub",
  settings: {
    url: orNull(originUrl).describe(
      "A replacement for Docker Hub, where images go and are pulled from. Left out: Docker Hub itself.",
    ),
    username: text.describe("The account. With an organisation access token: the name of the organisation."),
    password: secret.describe('An access token with "Read & Write".'),
    checkRepository: orNull(text).describe(
      "The repository in which doctor tests the right to push. Left out: doctor only logs in.",
    ),
  },
  secrets: ["password"],
  kinds: () => ["image"],
  // https://docs.docker.com/docker-hub/repos/create/: a namespace and a name, and nothing between.
  requireName({ url }, { repository }) {
    if (url !== null || repository.split("/").length === 2) return;
    throw new Refused(
      "name-invalid",
      `${JSON.stringify(repository)} is not <namespace>/<name>, as Docker Hub wants it.`,
    );
  },
  place: ({ url }) => placeByUrl("oci", url ?? "https://registry-1.docker.io"),
  // With a URL of its own it is not Docker Hub: its login must not be sent there.
  baseImageLogin: ({ url, username, password }, host) =>
    url === null && host === "docker.io" ? { username, password } : null,
  open: async (...given) => (await import("./registry.ts")).dockerHubRegistry(...given),
});
