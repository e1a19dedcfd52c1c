import { setTimeout as delay } from "node:timers/promises";
import { type Request, type Response, Router } from "express";
import type { Auth } from "../api/auth.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { type Region, regionMarkup } from "./regions.ts";

/** How soon a page shows a change. */
const POLL_INTERVAL_MS = 1_000;
/** Proxies close connections that are silent for too long; most wait at least 30 s. */
const HEARTBEAT_MS = 15_000;

/** Makes the regions of a topic now; null: there is no such topic. */
export type RenderTopic = (topic: string) => Promise<Region[] | null>;

interface Topic {
  listeners: Set<(event: string) => void>;
  /** The last HTML of each region. */
  shown: Map<string, string>;
}

/**
 * GET /events?topics=: server-sent events `region` with `{ id, html }`, for each region of a page that has changed. Each
 * topic is rendered once for all pages that follow it.
 */
export function eventRoute(auth: Auth, limits: ConcurrencyLimits, render: RenderTopic): Router {
  const topics = new Map<string, Topic>();
  let isPolling = false;

  async function pollAll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    while (topics.size > 0) {
      await delay(POLL_INTERVAL_MS);
      // An error is ignored: the next poll may succeed, and pages only see no change meanwhile.
      for (const [name, topic] of topics) await poll(name, topic).catch(() => {});
    }
    isPolling = false;
  }

  async function poll(name: string, topic: Topic): Promise<void> {
    for (const region of (await render(name)) ?? []) {
      const markup = regionMarkup(region).text;
      if (topic.shown.get(region.id) === markup) continue;
      topic.shown.set(region.id, markup);
      for (const send of topic.listeners) send(regionEvent(region.id, markup));
    }
  }

  async function follow(request: Request, response: Response): Promise<void> {
    const name = typeof request.query.topics === "string" ? request.query.topics : "";
    const regions = await render(name);
    if (regions === null) throw new Problem(404, "There is no such topic: write ?topics=now or ?topics=delivery:<id>.");
    response.set({ "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
    response.flushHeaders();
    const topic = topics.get(name) ?? { listeners: new Set(), shown: new Map() };
    topics.set(name, topic);
    const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
    const send = (event: string) => {
      // A page that reads too slowly comes again, and gets everything anew.
      if (!response.write(event)) response.destroy();
    };
    // What has changed since the page was made.
    for (const region of regions) response.write(regionEvent(region.id, regionMarkup(region).text));
    topic.listeners.add(send);
    void pollAll();
    await new Promise<void>((resolve) => {
      if (response.destroyed) resolve();
      response.once("close", resolve);
    });
    clearInterval(heartbeat);
    topic.listeners.delete(send);
    if (topic.listeners.size === 0) topics.delete(name);
  }

  const router = Router({ caseSensitive: true, strict: true });
  router.get("/events", auth.reader, limits.pageStreams.handler(follow));
  return router;
}

function regionEvent(id: string, markup: string): string {
  return `event: region\ndata: ${JSON.stringify({ id, html: markup })}\n\n`;
}
