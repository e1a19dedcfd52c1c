import { once } from "node:events";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express, type RequestHandler } from "express";
import type { Log } from "../observe/log.ts";
import { limitConnections } from "./connections.ts";
import { notFound, problemHandler } from "./problem.ts";

export interface AppRoutes {
  /** webhookRoute(); a worker by itself has none. */
  webhooks?: RequestHandler;
  /** healthRoute(). */
  health: RequestHandler;
  api?: RequestHandler;
  web?: RequestHandler;
  log: Log;
}

/** The one Express app. Webhooks come first: nothing may read their body, or cost time, before the signature is checked. */
export function createApp({ webhooks, health, api, web, log }: AppRoutes): Express {
  const app = express();
  app.disable("x-powered-by");
  for (const route of [webhooks, health, api, web]) if (route !== undefined) app.use(route);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}

export interface Listening {
  port: number;
  /** Answers what has come in, within `grace` ms, and is gone. */
  close(grace?: number): Promise<void>;
}

/**
 * Each may hold a small body of somebody who has shown nothing yet. What is not a webhook is answered on fewer (see Share):
 * the rest are for webhooks, or make room for one.
 */
const MAX_CONNECTIONS = 500;

/** Serves the app; bounded, so that many connections cannot eat the memory. @throws what listen failed with (EADDRINUSE). */
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
 * Express gives each request and answer its own prototype, and what V8 has learned of their class is void: that costs as
 * much as the rest of Express. Made of classes that have these prototypes already, they stay as they are.
 */
function classesOf(app: Express) {
  class Request extends IncomingMessage {}
  class Answer extends ServerResponse {}
  app.request = Object.setPrototypeOf(Request.prototype, app.request);
  app.response = Object.setPrototypeOf(Answer.prototype, app.response);
  return { IncomingMessage: Request, ServerResponse: Answer };
}
