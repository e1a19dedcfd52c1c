import { oneOf, orNull, secret, strict, token, webUrl, whole } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";

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
    token: orNull(token).describe(
      "An access token, for statuses on commits. Left out, without `app`: only public repos, and no statuses.",
    ),
    app: orNull(
      strict({
        id: whole(1, 999_999_999).describe("The App ID that the App's page on GitHub shows."),
        privateKey: secret
          // A variable often holds the line ends as two characters.
          .transform((value) => value.replaceAll("\\n", "\n"))
          .describe("The text of a .pem file that the App's page on GitHub has made."),
      }),
    ).describe("The GitHub App that deliverd is, for checks on commits. Left out: `token` is used."),
  })
    .refine(({ token, app }) => token === null || app === null, {
      path: ["app"],
      error: "either app or token: an App makes its own tokens",
    })
    .transform((value) => ({ ...value, cloneUrl: value.cloneUrl ?? defaultCloneUrl(value.apiUrl) })),
  secrets: ["webhookSecret", "token", "privateKey"],
  insteadOfToken: "app",
  open: async (key, { apiUrl, cloneUrl, webhookSecret, token, app }, { learn }) =>
    (await import("./host.ts")).githubHost({ key, apiUrl, cloneUrl, webhookSecret, token, app, learn }),
  setUpApp: async (key, { apiUrl, cloneUrl, app }) =>
    (await import("./app/app-setup.ts")).githubAppSetup({ key, apiUrl, cloneUrl, current: app?.id ?? null }),
});

/** GitHub Enterprise Server answers its API under `/api/v3` of the very host that it clones from. */
function defaultCloneUrl(apiUrl: string): string {
  return apiUrl.endsWith("/api/v3") ? apiUrl.slice(0, -"/api/v3".length) : "https://github.com";
}
