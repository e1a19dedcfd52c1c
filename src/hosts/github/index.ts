import { oneOf, orNull, secret, strict, token, webUrl } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";
import { githubHost } from "./host.ts";

/** GitHub and GitHub Enterprise Server. */
export const github = hostType({
  type: "github",
  settings: strict({
    type: oneOf("github").describe("The type of git host."),
    apiUrl: webUrl
      .default("https://api.github.com")
      .describe("The URL of the API; for GitHub Enterprise https://<host>/api/v3. Left out: https://api.github.com."),
    cloneUrl: orNull(webUrl).describe("Clones come from <cloneUrl>/<owner>/<name>.git. Left out: the host of apiUrl."),
    webhookSecret: secret.describe("The secret with which GitHub signs its webhooks."),
    token: orNull(token).describe("An access token. Left out: only public repos, and no statuses on commits."),
  }).transform((value) => ({ ...value, cloneUrl: value.cloneUrl ?? defaultCloneUrl(value.apiUrl) })),
  secrets: ["webhookSecret", "token"],
  open: (key, { apiUrl, cloneUrl, webhookSecret, token }) =>
    githubHost({ key, apiUrl, cloneUrl, webhookSecret, token }),
});

/** GitHub Enterprise Server answers its API under `/api/v3` of the very host that it clones from. */
function defaultCloneUrl(apiUrl: string): string {
  return apiUrl.endsWith("/api/v3") ? apiUrl.slice(0, -"/api/v3".length) : "https://github.com";
}
