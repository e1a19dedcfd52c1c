import { hasCommit } from "../bare-repos.ts";
import { type Answer, answerBy, type Call } from "../front.ts";
import { at, type Backend, type DataCenterRoute, ofRepo, PAGE, paged, REPO, type RepoAnswer } from "./backend.ts";
import { hookRoutes } from "./hook-routes.ts";
import { type Build, buildBody, noCommit, type Repository, refusal, repoBody } from "./state.ts";

const COMMIT = `${REPO}/commits/([0-9a-f]{40})`;

const ofCommit = (answer: RepoAnswer): DataCenterRoute["answer"] =>
  ofRepo(async (backend, repo, parts, call) => {
    const [sha = ""] = parts;
    return (await hasCommit(repo, sha)) ? answer(backend, repo, parts, call) : noCommit(sha, repo.name);
  });

const STATES = ["SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN"];
const BUILD_KEYS = [
  ...["key", "state", "url", "name", "description", "buildNumber", "duration"],
  ...["lastUpdated", "parent", "ref", "testResults"],
];

const postBuild: RepoAnswer = async (_backend, repo, [sha = ""], { body = {} }) => {
  const wrong = Object.keys(body).find((key) => !BUILD_KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, "Unrecognized field"), violation: `a build with '${wrong}'` };
  if (!(await hasCommit(repo, sha))) return refusal(400, `The commit hash '${sha}' is not valid`);
  const text = (key: string) => String(body[key] ?? "");
  if (text("key") === "" || text("key").length > 255) return refusal(400, "key: must have 1 to 255 characters");
  if (text("url") === "" || text("url").length > 450) return refusal(400, "url: must have 1 to 450 characters");
  if (!STATES.includes(text("state"))) return refusal(400, `'${text("state")}' is not a valid state`);
  setBuild(repo, sha, {
    key: text("key"),
    name: text("name"),
    state: text("state"),
    url: text("url"),
    description: text("description"),
    parent: body.parent === undefined ? null : text("parent"),
    ref: body.ref === undefined ? null : text("ref"),
  });
  return { status: 204 };
};

/** The one with the same key is overwritten. */
export function setBuild(repo: Repository, sha: string, wanted: Omit<Build, "createdDate" | "updatedDate">): void {
  const others = (repo.builds.get(sha) ?? []).filter(({ key }) => key !== wanted.key);
  const now = Date.now();
  repo.builds.set(sha, [...others, { ...wanted, createdDate: now, updatedDate: now }]);
}

/** Of all repos that hold the commit, the newest first: the older API does not know repos. */
function buildsOf({ repos }: Backend, sha: string): Build[] {
  return repos.all.flatMap((repo) => repo.builds.get(sha) ?? []).reverse();
}

const MAX_LISTED = 100;
const STATUS = "/rest/build-status/(?:latest|1\\.0)/commits";

const ROUTES: DataCenterRoute[] = [
  {
    method: "GET",
    pattern: at(REPO),
    query: [],
    answer: ofRepo((backend, repo) => ({ status: 200, body: repoBody(backend.url(), repo) })),
  },
  {
    method: "GET",
    pattern: at("/rest/api/(?:latest|1\\.0)/projects/([^/]+)/repos"),
    query: PAGE,
    answer(backend, call, [project = ""]) {
      const own = backend.repos.all.filter(({ owner }) => owner.toLowerCase() === project.toLowerCase());
      if (own.length === 0) return refusal(404, `Project ${project} does not exist.`);
      return paged(
        call,
        own.map((repo) => repoBody(backend.url(), repo)),
      );
    },
  },
  {
    method: "GET",
    pattern: at("/rest/api/(?:latest|1\\.0)/repos"),
    query: [...PAGE, "projectkey", "projectname", "name", "permission", "state", "visibility"],
    answer: (backend, call) =>
      paged(
        call,
        backend.repos.all.map((repo) => repoBody(backend.url(), repo)),
      ),
  },
  ...["default-branch", "branches/default"].map(
    (name, old): DataCenterRoute => ({
      method: "GET",
      pattern: at(`${REPO}/${name}`),
      query: [],
      answer: ofRepo(({ isNew }, { defaultBranch }) =>
        isNew || old === 1
          ? { status: 200, body: { id: `refs/heads/${defaultBranch}`, displayId: defaultBranch, type: "BRANCH" } }
          : refusal(404, "HTTP 404 Not Found"),
      ),
    }),
  ),
  {
    method: "GET",
    pattern: at(COMMIT),
    query: ["path"],
    answer: ofCommit((_backend, _repo, [id]) => ({ status: 200, body: { id, message: "Change something" } })),
  },
  { method: "POST", pattern: at(`${COMMIT}/builds`), query: [], answer: ofRepo(postBuild) },
  {
    method: "GET",
    pattern: at(`${STATUS}/([0-9a-f]{40})`),
    query: [...PAGE, "orderBy"],
    answer: (backend, call, [sha = ""]) => paged(call, buildsOf(backend, sha).slice(0, MAX_LISTED).map(buildBody)),
  },
  {
    method: "GET",
    pattern: at(`${STATUS}/stats/([0-9a-f]{40})`),
    query: [],
    answer(backend, _call, [sha = ""]) {
      const count = (word: string) => buildsOf(backend, sha).filter(({ state }) => state === word).length;
      const body = {
        successful: count("SUCCESSFUL"),
        failed: count("FAILED"),
        inProgress: count("INPROGRESS"),
        cancelled: count("CANCELLED"),
        unknown: count("UNKNOWN"),
      };
      return { status: 200, body };
    },
  },
  {
    method: "GET",
    pattern: at("/rest/required-builds/latest/projects/([^/]+)/repos/([^/]+)/conditions"),
    query: PAGE,
    answer: ofRepo(({ isNew }, { required }, _parts, call) =>
      isNew ? paged(call, required) : refusal(404, "HTTP 404 Not Found"),
    ),
  },
  ...hookRoutes(),
];

export function answerTo(backend: Backend, call: Call): Promise<Answer> {
  return answerBy(ROUTES, backend, call, refusal(404, "HTTP 404 Not Found"));
}
