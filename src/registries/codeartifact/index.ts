import { text } from "../../settings/scalars.ts";
import { accountId } from "../protocols/aws/settings.ts";
import { registryType } from "../registry-type.ts";

/** AWS CodeArtifact. */
export const codeArtifact = registryType({
  type: "codeartifact",
  settings: {
    region: text,
    domain: text,
    /** The account that owns the domain. */
    domainOwner: accountId,
    repository: text,
  },
  secrets: [],
  kinds: () => ["jar", "npm", "wheel", "file"],
  place: ({ region, domainOwner, domain, repository }) =>
    `codeartifact ${region} ${domainOwner} ${domain} ${repository}`,
  open: async (...given) => (await import("./registry.ts")).codeArtifactRegistry(...given),
});
