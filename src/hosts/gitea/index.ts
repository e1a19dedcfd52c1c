import { oneOf, orNull, secret, strict, token, webUrl } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";

/** Gitea and Forgejo. */
export const gitea = hostType({
  type: "gitea",
  settings: strict({
    type: oneOf("gitea").describe("The type of git host: Gitea or Forgejo."),
    url: webUrl.describe("The URL of Gitea or Forgejo. Its API is <url>/api/v1."),
    cloneUrl: orNull(webUrl).describe("Clones come from <cloneUrl>/<owner>/<name>.git. Left out: url."),
    webhookSecret: secret.describe("The secret of the webhooks."),
    token: orNull(token).describe("An access token. Left out: only public repos, and no statuses on commits."),
  }).transform((value) => ({ ...value, cloneUrl: value.cloneUrl ?? value.url })),
  secrets: ["webhookSecret", "token"],
  open: async (key, { url, cloneUrl, webhookSecret, token }) =>
    (await import("./host.ts")).giteaHost({ key, url, cloneUrl, webhookSecret, token }),
});
