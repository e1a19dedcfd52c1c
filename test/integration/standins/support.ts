import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import type { Files } from "../../support/fixtures/work-tree.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";

export interface Scene {
  github: GitHubStandIn;
  repo: SampleRepo;
  /** The only commit, on main. */
  sha: string;
}

/** A stand-in with the repo acme/api, whose first commit is pushed. */
export async function startScene(files: Files = { "a.txt": "a\n" }): Promise<Scene> {
  const github = await startGitHub();
  const repo = await sampleRepo(github, { owner: "acme", name: "api", files });
  await repo.push();
  return { github, repo, sha: await repo.head() };
}

export async function endScene(scene: Scene): Promise<void> {
  await scene.github.close();
  await scene.repo.remove();
}

/** A plain request, so that no client puts right what a test plants. Redirects are not followed. */
export async function ask(
  { github }: Scene,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
) {
  const { method = "GET", headers, body } = options;
  const response = await fetch(`${github.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${github.token}`, ...headers },
    body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    redirect: "manual",
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}
