import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import type { Check } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import { readAnswer } from "./payload.ts";
import { stateOf } from "./states.ts";

const creator = z.object({ type: z.string(), login: z.string().nullish(), avatar_url: z.string().nullish() });

const status = z.object({
  id: z.number(),
  context: z.string(),
  state: z.string(),
  updated_at: time,
  target_url: z.string().nullish(),
  creator: creator.nullish(),
});

/**
 * The newest status of each context, without our own.
 * @param appIds ids of the apps that have a suite at this commit, by slug
 */
export function checksOfStatuses(items: unknown[], appIds: ReadonlyMap<string, number> = new Map()): Check[] {
  const newest = new Map<string, z.output<typeof status>>();
  for (const item of readAnswer("a commit status", status, items)) {
    const key = item.context.toLowerCase();
    const before = newest.get(key);
    if (before === undefined || isNewer(item, before)) newest.set(key, item);
  }
  return [...newest.values()]
    .filter((item) => !isOwnContext(item.context))
    .map((item) => ({
      name: item.context,
      source: "status",
      state: stateOf(item.state),
      app: null,
      ...appIdOf(item.creator ?? null, appIds),
      detail: item.state,
      at: item.updated_at,
      ...(item.target_url ? { url: item.target_url } : {}),
    }));
}

/**
 * A status names the bot that set it, `<slug>[bot]`, and no app. The suites of the commit give the app id of a slug.
 * For an app without a suite the bot's avatar gives it: GitHub's URL of an app's avatar is `…/in/<app id>`.
 */
function appIdOf(by: z.output<typeof creator> | null, appIds: ReadonlyMap<string, number>): Pick<Check, "appId"> {
  if (by?.type !== "Bot") return { appId: null };
  const slug = by.login?.replace(/\[bot\]$/, "") ?? "";
  const pictured = /\/in\/(\d+)(?:[?/]|$)/.exec(by.avatar_url ?? "")?.[1];
  const appId = appIds.get(slug) ?? (pictured === undefined ? undefined : Number(pictured));
  return appId === undefined ? {} : { appId };
}

function isNewer(a: { id: number; updated_at: number }, b: { id: number; updated_at: number }): boolean {
  // Times have whole seconds, ids rise.
  return a.updated_at === b.updated_at ? a.id > b.id : a.updated_at > b.updated_at;
}
