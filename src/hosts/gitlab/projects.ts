import type { HostRepo } from "../host.ts";
import { path, type Query, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { project, readAnswer } from "./payload.ts";

/** The project with this id or path; GitLab leads from a former path to the project. Null: it shows none. @throws TransientError */
export async function findProject(api: RestApi, idOrPath: string): Promise<HostRepo | null> {
  try {
    return readAnswer("a project", project, [await api.get(path`/projects/${idOrPath}`)])[0] ?? null;
  } catch (error) {
    if (error instanceof Declined) return null;
    throw error;
  }
}

/** The projects of a group and its subgroups, or of a user. @throws TransientError */
export async function listProjects(api: RestApi, owner: string): Promise<HostRepo[]> {
  const query = { simple: true, order_by: "id", sort: "asc" };
  const ofGroup = await listUnlessDeclined(api, path`/groups/${owner}/projects`, {
    ...query,
    include_subgroups: true,
    with_shared: false,
  });
  if (ofGroup !== null) return ofGroup;
  // A user's namespace has one segment.
  if (owner.includes("/")) return [];
  return (await listUnlessDeclined(api, path`/users/${owner}/projects`, query)) ?? [];
}

/** Null: GitLab shows no such group or user. */
async function listUnlessDeclined(api: RestApi, route: string, query: Query): Promise<HostRepo[] | null> {
  try {
    return readAnswer("a list of projects", project, await api.list(route, query));
  } catch (error) {
    if (error instanceof Declined) return null;
    throw error;
  }
}
