import { type Answer, refusal } from "./answer.ts";
import { HOOK_EVENTS, hookBody, jobBody, pipelineBody, projectBody, statusBody } from "./bodies.ts";
import { newHook } from "./hooks.ts";
import type { GitLabState, Hook, Job, Pipeline, Project } from "./state.ts";
import { hasCommit, type Locks, postStatus, refsWith } from "./statuses.ts";

export interface Call {
  method: string;
  url: URL;
  /** Parsed; undefined where there was none. */
  body: Record<string, unknown> | undefined;
  token: string;
}

export interface Backend {
  state: GitLabState;
  locks: Locks;
  url(): string;
  cloneUrl(): string;
  /** Whether statuses name their pipeline, as in newer versions. */
  tellsPipeline: boolean;
  /** Whether the token may manage webhooks. */
  mayManageHooks: boolean;
  onStatus(project: Project, pipeline: Pipeline, job: Job): void;
  onTest(project: Project, hook: Hook): Promise<Answer>;
}

interface Route {
  method: string;
  pattern: RegExp;
  /** Known keys of the query. */
  query: string[];
  answer(backend: Backend, call: Call, parts: string[]): Answer | Promise<Answer>;
}

const PAGE = ["page", "per_page"];

const get = (pattern: RegExp, query: string[], answer: Route["answer"]): Route => ({
  method: "GET",
  pattern,
  query,
  answer,
});

/** With the project that the first part of the path names. */
const ofProject =
  (
    answer: (backend: Backend, project: Project, parts: string[], call: Call) => Answer | Promise<Answer>,
  ): Route["answer"] =>
  (backend, call, [id = "", ...parts]) => {
    const project = backend.state.find(id);
    if (project !== undefined) return answer(backend, project, parts, call);
    const moved = backend.state.moved.get(id);
    if (moved === undefined || call.method !== "GET") return refusal(404, "404 Project Not Found");
    const rest = call.url.pathname.replace(/^\/api\/v4\/projects\/[^/]+/, "");
    return { status: 301, headers: { location: `${backend.url()}/api/v4/projects/${moved}${rest}${call.url.search}` } };
  };

/** A page of a list, with the `Link` header that leads to the next one. */
function paged({ url }: Call, items: unknown[]): Answer {
  const size = Number(url.searchParams.get("per_page") ?? 20);
  const page = Number(url.searchParams.get("page") ?? 1);
  const next = new URL(url);
  next.searchParams.set("page", String(page + 1));
  const hasNext = items.length > page * size;
  return {
    status: 200,
    body: items.slice((page - 1) * size, page * size),
    headers: {
      "x-per-page": String(size),
      ...(hasNext ? { link: `<${next}>; rel="next", <${url}>; rel="first"` } : {}),
    },
    ...(size > 100 ? { violation: `a page of ${size}` } : {}),
  };
}

const withCommit = (
  answer: (backend: Backend, project: Project, sha: string, call: Call) => Answer | Promise<Answer>,
): Route["answer"] =>
  ofProject(async (backend, project, [sha = ""], call) =>
    (await hasCommit(project, sha)) ? answer(backend, project, sha, call) : refusal(404, "404 Commit Not Found"),
  );

const hooksOf = (backend: Backend, _project: Project, answer: () => Answer | Promise<Answer>) =>
  backend.mayManageHooks ? answer() : refusal(403, "403 Forbidden");

const withHook = (answer: (backend: Backend, project: Project, hook: Hook, call: Call) => Answer | Promise<Answer>) =>
  ofProject((backend, project, [id], call) =>
    hooksOf(backend, project, () => {
      const hook = project.hooks.find((one) => String(one.id) === id);
      return hook === undefined ? refusal(404, "404 Not found") : answer(backend, project, hook, call);
    }),
  );

const ROUTES: Route[] = [
  get(
    /^\/projects\/([^/]+)$/,
    [],
    ofProject((backend, project) => ({ status: 200, body: projectBody(backend.url(), backend.cloneUrl(), project) })),
  ),
  get(
    /^\/groups\/([^/]+)\/projects$/,
    [...PAGE, "include_subgroups", "with_shared", "simple", "order_by", "sort"],
    (backend, call, [group = ""]) => {
      const within = backend.state.projects.filter(({ owner }) => owner === group || owner.startsWith(`${group}/`));
      if (within.length === 0 || backend.state.users.has(group)) return refusal(404, "404 Group Not Found");
      const isDeep = call.url.searchParams.get("include_subgroups") === "true";
      const shown = within.filter(({ owner }) => isDeep || owner === group);
      return paged(
        call,
        shown.map((one) => projectBody(backend.url(), backend.cloneUrl(), one)),
      );
    },
  ),
  get(/^\/users\/([^/]+)\/projects$/, [...PAGE, "simple", "order_by", "sort"], (backend, call, [user = ""]) => {
    if (!backend.state.users.has(user)) return refusal(404, "404 User Not Found");
    const own = backend.state.projects.filter(({ owner }) => owner === user);
    return paged(
      call,
      own.map((one) => projectBody(backend.url(), backend.cloneUrl(), one)),
    );
  }),
  get(
    /^\/projects\/([^/]+)\/repository\/commits\/([^/]+)$/,
    [],
    withCommit((_backend, project, sha) => {
      const last = project.pipelines.findLast((one) => one.sha === sha);
      const last_pipeline = last === undefined ? null : { id: last.id, sha, ref: last.ref, source: last.source };
      return { status: 200, body: { id: sha, short_id: sha.slice(0, 8), status: null, last_pipeline } };
    }),
  ),
  get(
    /^\/projects\/([^/]+)\/repository\/commits\/([^/]+)\/statuses$/,
    [...PAGE, "name", "ref", "stage", "all", "pipeline_id"],
    withCommit((backend, project, sha, call) => {
      const name = call.url.searchParams.get("name");
      const all = call.url.searchParams.get("all") === "true";
      const rows = project.pipelines
        .filter((one) => one.sha === sha)
        .flatMap((pipeline) =>
          pipeline.jobs
            .filter((job) => (all || !job.isRetried) && (name === null || job.name === name))
            .map((job) => statusBody(job, pipeline, backend.tellsPipeline)),
        );
      return paged(call, rows);
    }),
  ),
  get(
    /^\/projects\/([^/]+)\/repository\/commits\/([^/]+)\/refs$/,
    [...PAGE, "type"],
    withCommit(async (_backend, { directory }, sha, call) => {
      const branches = await refsWith(directory, sha, "refs/heads");
      const tags = await refsWith(directory, sha, "refs/tags");
      const named = (type: string) => (name: string) => ({ type, name });
      return paged(call, [...branches.map(named("branch")), ...tags.map(named("tag"))]);
    }),
  ),
  get(
    /^\/projects\/([^/]+)\/pipelines$/,
    [...PAGE, "sha", "ref", "source"],
    ofProject((backend, project, _parts, call) => {
      const sha = call.url.searchParams.get("sha");
      const found = project.pipelines.filter((one) => one.sha === sha).reverse();
      return paged(
        call,
        found.map((one) => pipelineBody(backend.url(), one, project)),
      );
    }),
  ),
  get(
    /^\/projects\/([^/]+)\/pipelines\/(\d+)\/(jobs|bridges)$/,
    [...PAGE, "include_retried"],
    ofProject((backend, project, [id, kind], call) => {
      const pipeline = project.pipelines.find((one) => String(one.id) === id);
      if (pipeline === undefined) return refusal(404, "404 Not found");
      const withRetried = call.url.searchParams.get("include_retried") === "true";
      const jobs = pipeline.jobs.filter((job) => kind === "jobs" && !job.isExternal && (withRetried || !job.isRetried));
      return paged(
        call,
        jobs.map((job) => jobBody(backend.url(), job, pipeline, project)),
      );
    }),
  ),
  {
    method: "POST",
    pattern: /^\/projects\/([^/]+)\/statuses\/([^/]+)$/,
    query: [],
    answer: ofProject(async (backend, project, [sha = ""], { body = {}, token }) => {
      const { pipeline, job, ...answer } = await postStatus(backend.state, backend.locks, project, sha, body, token);
      if (pipeline !== undefined && job !== undefined) backend.onStatus(project, pipeline, job);
      return answer;
    }),
  },
  get(
    /^\/projects\/([^/]+)\/hooks$/,
    PAGE,
    ofProject((backend, project, _parts, call) =>
      hooksOf(backend, project, () =>
        paged(
          call,
          project.hooks.map((hook) => hookBody(hook, project)),
        ),
      ),
    ),
  ),
  get(/^\/groups\/([^/]+)\/hooks$/, PAGE, ({ state }, call, [group = ""]) => {
    const hooks = state.groupHooks.get(group);
    return hooks === undefined
      ? refusal(403, "403 Forbidden")
      : paged(
          call,
          hooks.map((hook) => hookBody(hook, null)),
        );
  }),
  get(/^\/groups\/([^/]+)\/hooks\/(\d+)\/events$/, [...PAGE, "status"], ({ state }, call, [group = "", id]) => {
    const hook = state.groupHooks.get(group)?.find((one) => String(one.id) === id);
    return hook === undefined ? refusal(404, "404 Not found") : paged(call, hook.sent.map(eventBody).reverse());
  }),
  {
    method: "POST",
    pattern: /^\/projects\/([^/]+)\/hooks$/,
    query: [],
    answer: ofProject((backend, project, _parts, { body = {} }) =>
      hooksOf(backend, project, () => {
        const hook = newHook(backend.state.nextId(), "");
        const wrong = change(hook, body);
        if (wrong !== null) return wrong;
        project.hooks.push(hook);
        return { status: 201, body: hookBody(hook, project) };
      }),
    ),
  },
  {
    method: "PUT",
    pattern: /^\/projects\/([^/]+)\/hooks\/(\d+)$/,
    query: [],
    answer: withHook((_backend, project, hook, { body = {} }) => {
      const wrong = change(hook, body);
      return wrong ?? { status: 200, body: hookBody(hook, project) };
    }),
  },
  {
    method: "DELETE",
    pattern: /^\/projects\/([^/]+)\/hooks\/(\d+)$/,
    query: [],
    answer: withHook((_backend, project, hook) => {
      project.hooks.splice(project.hooks.indexOf(hook), 1);
      return { status: 204 };
    }),
  },
  {
    method: "POST",
    pattern: /^\/projects\/([^/]+)\/hooks\/(\d+)\/test\/(push_events|pipeline_events)$/,
    query: [],
    answer: withHook((backend, project, hook) => backend.onTest(project, hook)),
  },
  get(
    /^\/projects\/([^/]+)\/hooks\/(\d+)\/events$/,
    [...PAGE, "status"],
    withHook((_backend, _project, hook, call) => paged(call, hook.sent.map(eventBody).reverse())),
  ),
];

function eventBody({ id, trigger, status, answer, createdAt }: Hook["sent"][number]): Record<string, unknown> {
  const response_status = status === null ? "internal error" : String(status);
  return {
    id,
    url: "x",
    trigger,
    response_status,
    response_body: answer,
    execution_duration: 0.25,
    created_at: createdAt,
  };
}

const HOOK_KEYS = [
  ...["url", "token", "signing_token", "enable_ssl_verification", "push_events_branch_filter"],
  ...["branch_filter_strategy", "custom_webhook_template", ...HOOK_EVENTS],
];

function change(hook: Hook, body: Record<string, unknown>): Answer | null {
  const wrong = Object.keys(body).find((key) => !HOOK_KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, `${wrong} is invalid`), violation: `a webhook with '${wrong}'` };
  if (body.url !== undefined && !URL.canParse(String(body.url))) return refusal(422, { url: ["is blocked"] });
  if (typeof body.signing_token === "string" && !/^whsec_[A-Za-z0-9+/]{43}=$/.test(body.signing_token)) {
    return refusal(422, { signing_token: ["is invalid"] });
  }
  if (body.url !== undefined) hook.url = String(body.url);
  if (body.token !== undefined) hook.token = String(body.token);
  if (body.signing_token !== undefined) hook.signingToken = String(body.signing_token);
  if (body.enable_ssl_verification !== undefined) hook.verifiesTls = body.enable_ssl_verification === true;
  if (body.custom_webhook_template !== undefined) hook.template = String(body.custom_webhook_template);
  if (body.branch_filter_strategy === "all_branches") hook.branchFilter = "";
  for (const event of HOOK_EVENTS) {
    if (body[event] === true) hook.events.add(event);
    if (body[event] === false) hook.events.delete(event);
  }
  return null;
}

/** The answer to a call of the API. What no client should ask is a violation. */
export async function answerTo(backend: Backend, call: Call): Promise<Answer> {
  const path = call.url.pathname.replace(/^\/api\/v4/, "");
  for (const { method, pattern, query, answer } of ROUTES) {
    const parts = method === call.method ? pattern.exec(path) : null;
    if (parts === null) continue;
    const unknown = [...call.url.searchParams.keys()].find((key) => !query.includes(key));
    const answered = await answer(backend, call, parts.slice(1).map(decodeURIComponent));
    return unknown === undefined ? answered : { ...answered, violation: `the query '${unknown}'` };
  }
  return { ...refusal(404, "404 Not Found"), violation: "there is no such route" };
}
