import { repoUrl } from "../../src/delivery/repo-name.ts";
import type { Engine } from "../../test/support/engine/engine.ts";
import type { Product, ProductRepo, RunningProduct } from "../../test/support/hosts/products.ts";
import { type Deliverd, startDeliverd } from "../../test/support/world/deliverd.ts";
import { type NoticeSink, startNoticeSink } from "../../test/support/world/notice-sink.ts";
import { findEngine } from "./engine.ts";
import type { Teller } from "./teller.ts";

/** What stands around a delivery, and the deliverd in its middle. */
export interface Surroundings {
  engine: Engine;
  product: Product;
  host: RunningProduct;
  sink: NoticeSink;
  repo: ProductRepo;
  deliverd: Deliverd;
}

/** Everything that was started, to be ended in the other order. */
export interface Started {
  add<T>(starting: Promise<T>, end: (value: T) => Promise<unknown>): Promise<T>;
  /** Ends all of it, whatever fails on the way. @returns what failed */
  end(): Promise<unknown[]>;
}

export function nothingStarted(signal: AbortSignal): Started {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    async add(starting, end) {
      const value = await starting;
      ends.push(() => end(value));
      signal.throwIfAborted();
      return value;
    },
    async end() {
      const failures: unknown[] = [];
      for (const end of ends.splice(0).reverse()) await end().catch((error: unknown) => failures.push(error));
      return failures;
    },
  };
}

/** Where it is to deliver to: the entries of the configuration, and what else leads there. */
export interface Destinations {
  registries: Record<string, unknown>;
  env?: Record<string, string>;
}

export async function surround(
  started: Started,
  tell: Teller,
  product: Product,
  open: (engine: Engine) => Promise<Destinations>,
): Promise<Surroundings> {
  tell.step("Docker Engine");
  const engine = await started.add(findEngine(process.env), (one) => one.stop());
  tell.fact("engine", engine.from);

  const { registries, env } = await open(engine);

  tell.step(product.title, `a stand-in: ${product.standsInFor}, its webhooks, and git over HTTP`);
  const host = await started.add(product.start(), (one) => one.close());
  const repo = await started.add(host.createRepo("hello"), (one) => one.remove());
  tell.fact("clone", repoUrl(String(host.settings.cloneUrl), repo, ".git"));

  tell.step("Deployer", "waits for the notice that a release is ready");
  const sink = await started.add(startNoticeSink(), (one) => one.stop());

  tell.step("deliverd");
  const config = {
    docker: { socket: engine.socket },
    hosts: { [product.key]: host.settings },
    registries,
    notices: [{ type: "webhook", url: sink.url, secret: sink.secret }],
    repos: [`${host.owner}/hello`],
  };
  const deliverd = await started.add(startDeliverd({ config, env }), (one) => one.remove());
  host.connect(deliverd.url, product.key);
  tell.fact("url", deliverd.url);
  return { engine, product, host, sink, repo, deliverd };
}
