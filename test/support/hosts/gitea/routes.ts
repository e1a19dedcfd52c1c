import { git } from "../git.ts";
import { type Answer, notFound, refusal } from "./answer.ts";
import { type Backend, type Call, ofRepo, PAGE, type Route } from "./backend.ts";
import { hookRoutes } from "./hook-routes.ts";
import { paged } from "./pages.ts";
import { commitBody, repoBody, statusBody, userBody } from "./payloads.ts";
import type { Repo, StatusRow } from "./state.ts";

const get = (pattern: RegExp, query: string[], answer: Route["answer"]): Route => ({
  method: "GET",
  pattern,
  query,
  answer,
});

const STATUS_KEYS = ["state", "context", "description", "target_url"];
const STATES = ["pending", "success", "error", "failure", "warning", "skipped"];

const ROUTES: Route[] = [
  get(/^\/version$/, [], ({ version }) => ({ status: 200, body: { version } })),
  get(
    /^\/repos\/([^/]+)\/([^/]+)$/,
    [],
    ofRepo((backend, repo) => ({ status: 200, body: repoBody(backend.url(), backend.cloneUrl(), repo) })),
  ),
  get(/^\/repositories\/(\d+)$/, [], (backend, call, [id]) => {
    const repo = call.login === null ? undefined : backend.state.byId(Number(id));
    return repo === undefined ? notFound() : { status: 200, body: repoBody(backend.url(), backend.cloneUrl(), repo) };
  }),
  get(/^\/orgs\/([^/]+)$/, [], ({ state }, _call, [name = ""]) =>
    state.isOrganisation(name) ? { status: 200, body: { id: 9, name, username: name } } : refusal(404, "GetOrgByName"),
  ),
  get(/^\/(orgs|users)\/([^/]+)\/repos$/, PAGE, (backend, { url }, [kind, owner = ""]) => {
    const { state } = backend;
    const isThere =
      kind === "orgs" ? state.isOrganisation(owner) : state.isOrganisation(owner) || state.users.has(owner);
    if (!isThere) return refusal(404, `user redirect does not exist [name: ${owner}]`);
    const repos = state.repos.filter((one) => one.owner === owner);
    const bodies = repos.map((one) => repoBody(backend.url(), backend.cloneUrl(), one));
    return paged(url, bodies, { links: true, max: backend.pageLimit });
  }),
  get(
    /^\/repos\/([^/]+)\/([^/]+)\/statuses\/([^/]+)$/,
    [...PAGE, "sort", "state"],
    // It looks for the text in its table, and does not care whether there is such a commit.
    ofRepo((backend, repo, [sha = ""], { url }) => statusList(backend, repo, sha, url)),
  ),
  get(
    /^\/repos\/([^/]+)\/([^/]+)\/commits\/([^/]+)\/statuses$/,
    [...PAGE, "sort", "state"],
    ofRepo(async (backend, repo, [ref = ""], { url }) => {
      const sha = await resolve(repo, ref);
      return sha === null
        ? notFound(`object does not exist [id: ${ref}, rel_path: ]`)
        : statusList(backend, repo, sha, url);
    }),
  ),
  {
    method: "POST",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/statuses\/([^/]+)$/,
    query: [],
    answer: ofRepo(async (backend, repo, [sha = ""], { body = {}, login }) => {
      if (!backend.mayWrite) return refusal(403, "user should have a permission to write to a repo");
      const unknown = Object.keys(body).find((key) => !STATUS_KEYS.includes(key));
      // An administrator is shown the reason, others get an empty message.
      if (!(await hasCommit(repo, sha))) return refusal(500, "");
      const { state = "", context = "", description = "", target_url: targetUrl = "" } = body as Record<string, string>;
      const row = backend.state.addStatus(repo, { sha, state, context, description, targetUrl, creator: login });
      backend.onStatus(repo, row);
      // Gitea takes any word, and then shows the commit as none of the states that it knows.
      const violation = unknown ?? (STATES.includes(state) ? undefined : `the state '${state}'`);
      return {
        status: 201,
        body: statusBody(backend.url(), repo, row),
        ...(violation === undefined ? {} : { violation: `a status with ${violation}` }),
      };
    }),
  },
  get(
    /^\/repos\/([^/]+)\/([^/]+)\/git\/commits\/([^/]+)$/,
    ["stat", "verification", "files"],
    ofRepo(async (backend, repo, [sha = ""]) =>
      (await hasCommit(repo, sha))
        ? { status: 200, body: { sha, commit: commitBody(backend.url(), repo, sha) } }
        : { ...refusal(404, `commit doesn't exist: ${sha}`) },
    ),
  ),
  get(
    /^\/repos\/([^/]+)\/([^/]+)\/branches\/(.+)$/,
    [],
    ofRepo(async (backend, repo, [branch = ""]) => {
      const sha = await git(repo.directory, ["rev-parse", "--verify", "--quiet", `refs/heads/${branch}`]).catch(
        () => null,
      );
      if (sha === null) return notFound();
      const { enabled = false, contexts = [] } = repo.protection.get(branch) ?? {};
      return {
        status: 200,
        body: {
          name: branch,
          commit: commitBody(backend.url(), repo, sha),
          protected: repo.protection.has(branch),
          required_approvals: 0,
          enable_status_check: enabled,
          status_check_contexts: contexts,
          user_can_push: true,
          user_can_merge: true,
        },
      };
    }),
  ),
  get(
    /^\/repos\/([^/]+)\/([^/]+)\/collaborators\/([^/]+)\/permission$/,
    [],
    ofRepo(({ state, mayManageHooks }, repo, [person = ""]) => {
      if (!mayManageHooks) return refusal(403, "Only admins can query all permissions");
      if (!state.users.has(person)) return refusal(404, `user does not exist [uid: 0, name: ${person}]`);
      const permission = repo.permissions.get(person) ?? "none";
      return { status: 200, body: { permission, role_name: permission, user: userBody(person) } };
    }),
  ),
  ...hookRoutes,
];

function statusList(backend: Backend, repo: Repo, sha: string, url: URL): Answer {
  const rows = repo.statuses.filter((one) => one.sha === sha);
  // The names of two directions are swapped. Without one of them rows of one second have no order.
  const isTotal = ["leastindex", "highestindex"].includes(url.searchParams.get("sort") ?? "");
  const sorted = url.searchParams.get("sort") === "highestindex" ? rows : sortedBySecond(rows);
  const bodies = sorted.map((row) => statusBody(backend.url(), repo, row));
  const answer = paged(url, bodies, { links: true, max: backend.pageLimit });
  return isTotal ? answer : { ...answer, violation: "statuses sorted by seconds" };
}

/** The newest second first, and within one second the oldest first. */
function sortedBySecond(rows: readonly StatusRow[]): StatusRow[] {
  return rows.toSorted((a, b) =>
    a.createdAt === b.createdAt ? a.index - b.index : a.createdAt < b.createdAt ? 1 : -1,
  );
}

/** As Gitea resolves what may be a branch, a tag or a commit: a branch that is called like a commit comes first. */
async function resolve({ directory }: Repo, ref: string): Promise<string | null> {
  for (const name of [`refs/heads/${ref}`, `refs/tags/${ref}`, ...(/^[0-9a-f]{7,64}$/.test(ref) ? [ref] : [])]) {
    const found = await git(directory, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]).catch(() => null);
    if (found !== null) return found;
  }
  return null;
}

async function hasCommit({ directory }: Repo, sha: string): Promise<boolean> {
  return git(directory, ["cat-file", "-e", `${sha}^{commit}`]).then(
    () => true,
    () => false,
  );
}

/** The answer to a call of the API. What no client should ask is a violation. */
export async function answerTo(backend: Backend, call: Call): Promise<Answer> {
  const path = call.url.pathname.replace(/^\/api\/v1/, "");
  for (const { method, pattern, query, answer } of ROUTES) {
    const parts = method === call.method ? pattern.exec(path) : null;
    if (parts === null) continue;
    const unknown = [...call.url.searchParams.keys()].find((key) => !query.includes(key));
    const answered = await answer(backend, call, parts.slice(1).map(decodeURIComponent));
    return unknown === undefined ? answered : { ...answered, violation: `the query '${unknown}'` };
  }
  return { ...notFound(), violation: "there is no such route" };
}
