/** What a person may do at a server. Each role may also do what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;

export type Role = (typeof ROLES)[number];

/** The name of whoever has the admin token. No access token may have it. */
export const ADMIN_NAME = "admin";

export function mayAct(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
