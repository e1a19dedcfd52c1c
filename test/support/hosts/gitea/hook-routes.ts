import { type Answer, notFound, refusal } from "./answer.ts";
import { type Backend, type Call, ofRepo, PAGE, type Route } from "./backend.ts";
import { EVENTS, newHook } from "./hooks.ts";
import { paged } from "./pages.ts";
import type { Hook, Repo } from "./state.ts";

const ADMIN_ONLY = "user should be an owner or a collaborator with admin write of a repository";

const administered = (answer: (backend: Backend, repo: Repo, parts: string[], call: Call) => Answer) =>
  ofRepo((backend, repo, parts, call) =>
    backend.mayManageHooks ? answer(backend, repo, parts, call) : refusal(403, ADMIN_ONLY),
  );

const withHook = (answer: (backend: Backend, repo: Repo, hook: Hook, call: Call) => Answer) =>
  administered((backend, repo, [id], call) => {
    const hook = repo.hooks.find((one) => String(one.id) === id);
    return hook === undefined ? notFound() : answer(backend, repo, hook, call);
  });

export const hookRoutes: Route[] = [
  {
    method: "GET",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/hooks$/,
    query: PAGE,
    answer: administered(({ pageLimit }, { hooks }, _parts, { url }) =>
      paged(url, hooks.map(hookBody), { links: false, max: pageLimit }),
    ),
  },
  {
    method: "GET",
    pattern: /^\/orgs\/([^/]+)\/hooks$/,
    query: PAGE,
    answer: ({ state, mayManageHooks, pageLimit }, { url }, [organisation = ""]) => {
      if (!state.isOrganisation(organisation)) return refusal(404, "GetOrgByName");
      if (!mayManageHooks) return refusal(403, "Must be an organization owner");
      const hooks = state.organisationHooks.get(organisation) ?? [];
      return paged(url, hooks.map(hookBody), { links: false, max: pageLimit });
    },
  },
  {
    method: "POST",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/hooks$/,
    query: [],
    answer: administered((backend, repo, _parts, { body = {} }) => {
      const config = configOf(body);
      if (body.type !== "gitea" && body.type !== backend.software)
        return refusal(422, `Invalid hook type: ${body.type}`);
      for (const key of ["url", "content_type"]) {
        if (config[key] === undefined) return refusal(422, `Missing config option: ${key}`);
      }
      const hook = newHook(backend.state.nextId(), "", { secret: config.secret ?? "" });
      const wrong = change(backend, hook, body);
      if (wrong !== null) return wrong;
      // Left out, it is off.
      hook.active = body.active === true;
      repo.hooks.push(hook);
      return { status: 201, body: hookBody(hook), ...violationOf(body) };
    }),
  },
  {
    method: "PATCH",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/hooks\/(\d+)$/,
    query: [],
    // The secret stays what it was.
    answer: withHook((backend, _repo, hook, { body = {} }) => {
      const wrong = change(backend, hook, body);
      return wrong ?? { status: 200, body: hookBody(hook) };
    }),
  },
  {
    method: "DELETE",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/hooks\/(\d+)$/,
    query: [],
    answer: withHook((_backend, repo, hook) => {
      repo.hooks.splice(repo.hooks.indexOf(hook), 1);
      return { status: 204 };
    }),
  },
  {
    method: "POST",
    pattern: /^\/repos\/([^/]+)\/([^/]+)\/hooks\/(\d+)\/tests$/,
    query: ["ref"],
    answer: withHook((backend, repo, hook) => {
      backend.onTest(repo, hook);
      return { status: 204 };
    }),
  },
];

const KEYS = ["type", "config", "events", "branch_filter", "authorization_header", "active"];

function violationOf(body: Record<string, unknown>): { violation?: string } {
  const unknown = Object.keys(body).find((key) => !KEYS.includes(key));
  return unknown === undefined ? {} : { violation: `a webhook with '${unknown}'` };
}

function configOf({ config }: Record<string, unknown>): Record<string, string> {
  return typeof config === "object" && config !== null ? (config as Record<string, string>) : {};
}

/** What a change leaves out is reset, but for the address, the content type and whether it is on. */
function change({ software }: Backend, hook: Hook, body: Record<string, unknown>): Answer | null {
  const config = configOf(body);
  if (config.url !== undefined && !/^https?:\/\/./.test(config.url)) return refusal(422, "Invalid url");
  if (config.content_type !== undefined && !["json", "form"].includes(config.content_type)) {
    return refusal(422, "Invalid content type");
  }
  hook.url = config.url ?? hook.url;
  hook.contentType = config.content_type ?? hook.contentType;
  const known: readonly string[] = EVENTS[software];
  const events = Array.isArray(body.events) && body.events.length > 0 ? (body.events as string[]) : ["push"];
  // Names that it does not know are passed over.
  hook.events = new Set(events.filter((event) => known.includes(event)));
  hook.branchFilter = String(body.branch_filter ?? "");
  hook.authorization = String(body.authorization_header ?? "");
  if (typeof body.active === "boolean") hook.active = body.active;
  return null;
}

/** A webhook never shows its secret, nor that it has one. */
function hookBody(hook: Hook): Record<string, unknown> {
  return {
    id: hook.id,
    type: "gitea",
    branch_filter: hook.branchFilter,
    config: { content_type: hook.contentType, url: hook.url },
    events: [...hook.events],
    authorization_header: hook.authorization,
    active: hook.active,
    updated_at: "2026-01-01T00:00:00Z",
    created_at: "2026-01-01T00:00:00Z",
  };
}
