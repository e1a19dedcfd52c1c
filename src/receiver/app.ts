import { once } from "node:events";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express, type RequestHandler } from "express";
import type { Log } from "../observe/log.ts";
import { limitConnections } from "./connections.ts";
import { notFound, problemHandler } from "./problem.ts";

export interface AppRoutes {
  /** webhookRoute(); a process that is only a worker has none. */
  webhooks?: RequestHandler;
  /** healthRoute(). */
  health: RequestHandler;
  api?: RequestHandler;
  web?: RequestHandler;
  log: Log;
  /** The proxies whose X-Forwarded-For counts, as Express takes them. Null or left out: it never counts. */
  trustProxy?: number | string[] | null;
}

/**
 * Creates the Express app. Webhooks come first: nothing may read their body or take time before the signature is
 * checked.
 */
export function createApp({ webhooks, health, api, web, log, trustProxy }: AppRoutes): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("trust proxy", trustProxy ?? false);
  for (const route of [webhooks, health, api, web]) if (route !== undefined) app.use(route);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}

export interface Listening {
  port: number;
  /** Answers the requests that have arrived, closes what is left after `grace` ms, and stops listening. */
  close(grace?: number): Promise<void>;
}

/**
 * Each connection may hold a small body of a sender whose signature is not checked yet. Requests that are not webhooks
 * use fewer of them (see ConcurrencyLimits), so that some are always left for webhooks.
 */
const MAX_CONNECTIONS = 500;

/** Serves the app, with limits on connections and memory. @throws the error of listen, such as EADDRINUSE */
export async function listen(app: Express, { port, address }: { port: number; address?: string }): Promise<Listening> {
  const timeouts = {
    headersTimeout: 15_000,
    requestTimeout: 120_000,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 5_000,
  };
  const server = createServer({ ...timeouts, ...classesOf(app) }, app);
  limitConnections(server, { maxConnections: MAX_CONNECTIONS });
  server.listen(port, address);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close(grace = 5_000) {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearTimeout(timer);
    },
  };
}

/**
 * Express changes the prototype of each request and response, which invalidates V8's optimisations for their classes
 * and costs as much as all the rest of Express. These classes have Express's prototypes from the beginning, so nothing
 * changes.
 */
function classesOf(app: Express) {
  class Request extends IncomingMessage {}
  class Answer extends ServerResponse {}
  app.request = Object.setPrototypeOf(Request.prototype, app.request);
  app.response = Object.setPrototypeOf(Answer.prototype, app.response);
  return { IncomingMessage: Request, ServerResponse: Answer };
}
