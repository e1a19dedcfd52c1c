import { oneOf, orNull, secret, strict, text, token, webUrl } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";

const CLOUD_API = "https://api.bitbucket.org/2.0";

/** Bitbucket Cloud and, with `url`, Bitbucket Data Center. They share a name, and their signature; not an API. */
export const bitbucket = hostType({
  type: "bitbucket",
  settings: strict({
    type: oneOf("bitbucket").describe("The type of git host."),
    url: orNull(webUrl).describe("The URL of Bitbucket Data Center. Left out: Bitbucket Cloud."),
    apiUrl: orNull(webUrl).describe(`The URL of Bitbucket Cloud's API. Left out: ${CLOUD_API}.`),
    cloneUrl: orNull(webUrl).describe(
      "Clones come from <cloneUrl>/<workspace or project>/<name>.git. Left out: https://bitbucket.org, or <url>/scm.",
    ),
    username: orNull(text).describe(
      "Cloud: the e-mail address of the account of an API token; an access token has none. Data Center: the user of the token.",
    ),
    webhookSecret: secret.describe("The secret with which Bitbucket signs its webhooks."),
    token: orNull(token).describe(
      "An access token, an API token or an HTTP access token. Left out: only public repos, and no statuses on commits.",
    ),
  })
    .refine(({ url, apiUrl }) => url === null || apiUrl === null, {
      path: ["apiUrl"],
      error: "no apiUrl beside url: Data Center has its API at <url>/rest",
    })
    .transform((value) => ({
      ...value,
      apiUrl: value.url === null ? (value.apiUrl ?? CLOUD_API) : null,
      cloneUrl: value.cloneUrl ?? (value.url === null ? "https://bitbucket.org" : `${value.url}/scm`),
    })),
  secrets: ["webhookSecret", "token"],
  open: async (key, { url, apiUrl, ...rest }) =>
    url === null
      ? (await import("./cloud/host.ts")).cloudHost({ key, apiUrl: apiUrl ?? CLOUD_API, ...rest })
      : (await import("./data-center/host.ts")).dataCenterHost({ key, url, ...rest }),
});
