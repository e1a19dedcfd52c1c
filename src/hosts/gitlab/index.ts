import { oneOf, orNull, secret, strict, token, webUrl } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";

/** GitLab.com and self-managed GitLab. */
export const gitlab = hostType({
  type: "gitlab",
  settings: strict({
    type: oneOf("gitlab").describe("The type of git host."),
    url: webUrl
      .default("https://gitlab.com")
      .describe("The URL of GitLab. Its API is <url>/api/v4. Left out: https://gitlab.com."),
    cloneUrl: orNull(webUrl).describe("Clones come from <cloneUrl>/<group>/<name>.git. Left out: url."),
    webhookSecret: secret.describe("The signing token (whsec_…) of the webhooks, or else their secret token."),
    token: orNull(token).describe("An access token. Left out: only public projects, and no statuses on commits."),
  }).transform((value) => ({ ...value, cloneUrl: value.cloneUrl ?? value.url })),
  secrets: ["webhookSecret", "token"],
  open: async (key, { url, cloneUrl, webhookSecret, token }) =>
    (await import("./host.ts")).gitlabHost({ key, url, cloneUrl, webhookSecret, token }),
});
