import * as z from "zod";
import { orNull, text } from "../../settings/scalars.ts";
import { accountId } from "../protocols/aws/settings.ts";
import { registryType } from "../registry-type.ts";

/** What ECR takes as mutability exclusion filters: at most five, two wildcards in each. */
const movingTags = z
  .array(text.regex(/^(?=[^*]*(?:\*[^*]*){0,2}$)[A-Za-z0-9._*-]{1,128}$/, { error: "a tag, with * twice at most" }), {
    error: "a list of tags, such as [latest, main]",
  })
  .max(5, { error: "at most 5, as ECR takes them" });

/** AWS Elastic Container Registry. */
export const ecr = registryType({
  type: "ecr",
  settings: {
    region: text,
    /** The account whose registry it is. */
    account: accountId,
    createRepositories: z.boolean({ error: "true or false" }).default(true),
    /** Wildcards of the tags that may move in repositories that are made; all others are immutable. */
    movingTags: movingTags.default(["latest", "main", "master", "develop", "release-*"]),
    checkRepository: orNull(text),
  },
  secrets: [],
  kinds: () => ["image"],
  place: ({ region, account }) => `ecr ${region} ${account}`,
  open: async (...given) => (await import("./registry.ts")).ecrRegistry(...given),
});
