import { repoUrl } from "../../delivery/repo-name.ts";
import type { Repo } from "../../delivery/types.ts";
import { basicAuth } from "../../http/login.ts";
import type { CloneSource } from "../host.ts";

/**
 * Where and how to clone a repo. The URL comes from the configuration, never from a webhook; the token is in the
 * header, never in the URL.
 */
export function cloneSourceOf(cloneUrl: string, token: string | null, repo: Repo): CloneSource {
  return {
    url: repoUrl(cloneUrl, repo, ".git"),
    authorization: token === null ? null : basicAuth("x-access-token", token),
  };
}
