import { text } from "../../settings/scalars.ts";
import { accountId } from "../protocols/aws/settings.ts";
import { registryType } from "../registry-type.ts";

/** AWS CodeArtifact. */
export const codeArtifact = registryType({
  type: "codeartifact",
  settings: {
    region: text.describe("The AWS region, such as eu-west-1."),
    domain: text.describe("The name of the CodeArtifact domain."),
    domainOwner: accountId.describe("The number of the AWS account that owns the domain, in quotes."),
    repository: text.describe("The name of the repository in the domain."),
  },
  secrets: [],
  kinds: () => ["jar", "npm", "wheel", "file"],
  place: ({ region, domainOwner, domain, repository }) =>
    `codeartifact ${region} ${domainOwner} ${domain} ${repository}`,
  open: async (...given) => (await import("./registry.ts")).codeArtifactRegistry(...given),
});
