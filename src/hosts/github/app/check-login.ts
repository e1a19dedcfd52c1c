import * as z from "zod";
import type { HostLogin } from "../../host.ts";
import { readAnswer } from "../payload.ts";
import type { AppAccess } from "./app-access.ts";
import { APP_EVENTS } from "./app-events.ts";

/** What the App has to be allowed, in the words of GitHub's API, and what for. */
export const APP_PERMISSIONS: Readonly<Record<string, "read" | "write">> = {
  checks: "write",
  contents: "read",
  metadata: "read",
  statuses: "read",
};

/** What the App may be allowed besides, and what is missing without it. */
export const OPTIONAL_PERMISSIONS: Readonly<Record<string, "read" | "write">> = {
  actions: "read",
  administration: "read",
};

const appShape = z.object({
  slug: z.string(),
  html_url: z.string(),
  events: z.array(z.string()),
  permissions: z.record(z.string(), z.string().nullish()),
});

export type AppFacts = z.output<typeof appShape>;

/** The App as GitHub shows it. @throws TransientError */
export async function readApp({ app }: Pick<AppAccess, "app">): Promise<AppFacts> {
  const [found] = readAnswer("an App", appShape, [await app.get("GET /app", {})]);
  if (found === undefined) throw new Error("readAnswer gives an item for each");
  return found;
}

/** Checks the App, and its installation in each of these owners. @throws TransientError */
export async function checkLogin(access: AppAccess, owners: readonly string[]): Promise<HostLogin> {
  const app = await readApp(access);
  const faults = missingPermissions(app.permissions).map((one) => `the App lacks the permission '${one}': ${HOW}`);
  const events = APP_EVENTS.filter((event) => !app.events.includes(event));
  if (events.length > 0) {
    const where = `${app.html_url} (Permissions & events)`;
    faults.push(`the App is not subscribed to ${events.join(", ")}: tick them on its page, ${where}`);
  }
  const installed: string[] = [];
  for (const owner of owners) {
    const found = await access.installations.find(owner);
    if (found === null) {
      faults.push(`the App is not installed in ${owner}: install it at ${app.html_url}/installations/new`);
      continue;
    }
    installed.push(owner);
    if (found.suspended_at) faults.push(`the App is suspended in ${owner}: lift that at ${found.html_url}`);
    for (const one of missingPermissions(found.permissions))
      if (!missingPermissions(app.permissions).includes(one))
        faults.push(`the permission '${one}' is not accepted in ${owner}: an owner accepts it at ${found.html_url}`);
  }
  const where = installed.length === 0 ? "" : `, installed in ${installed.join(", ")}`;
  return { name: `the App ${app.slug}${where}`, faults };
}

const HOW = "add it on the App's page on GitHub, and let the owners where it is installed accept it";

/** As GitHub's pages write them: `Checks: read and write`. */
function missingPermissions(has: Readonly<Record<string, string | null | undefined>>): string[] {
  return Object.entries(APP_PERMISSIONS).flatMap(([name, level]) => {
    const given = has[name];
    const isEnough = given === "write" || given === "admin" || (given === "read" && level === "read");
    return isEnough ? [] : [permissionText(name, level)];
  });
}

const NAMES: Readonly<Record<string, string>> = { statuses: "Commit statuses" };

function permissionText(name: string, level: "read" | "write"): string {
  const title = NAMES[name] ?? `${name[0]?.toUpperCase()}${name.slice(1)}`;
  return `${title}: ${level === "write" ? "read and write" : "read-only"}`;
}
