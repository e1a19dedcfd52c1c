import { randomUUID } from "node:crypto";
import type { DeliveryView } from "../../../src/api/delivery-view.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import { type Product, type ProductRepo, products, type RunningProduct } from "../hosts/products.ts";
import { until } from "../processes/process.ts";
import { image, pipeline, startWorld, type World } from "./world.ts";

/** A product with the repo that is delivered from it. */
export interface Member {
  product: Product;
  running: RunningProduct;
  repo: ProductRepo;
}

/** A deliverd with every product as one of its hosts. Nobody looks by the clock, so calls can be counted exactly. */
export interface ProductWorld {
  members: Member[];
  /** Delivers one commit. @returns the API calls from the webhook of the push to the report of the release */
  deliver(member: Member): Promise<string[]>;
  /** @returns what deliverd sent that a host does not take */
  stop(): Promise<string[]>;
}

const DAY = 24 * 60 * 60_000;
const NAME = "api";

export async function startProductWorld(): Promise<ProductWorld> {
  const members: Member[] = [];
  let world: World | null = null;
  const stop = async () => {
    await world?.stop();
    const violations = members.flatMap(({ running }) => running.violations());
    for (const { repo, running } of members) {
      await repo.remove();
      await running.close();
    }
    return violations;
  };
  try {
    for (const product of products) {
      const running = await product.start();
      const repo = await running.createRepo(NAME);
      members.push({ product, running, repo });
      // Nobody hears of it: a new branch would be a delivery of another kind.
      await repo.push();
    }
    const hosts = Object.fromEntries(members.map(({ product, running }) => [product.key, running.settings]));
    const repos = members.map(({ product, running }) => `${product.key}/${running.owner}/${NAME}`);
    const started = await startWorld({ config: { hosts, repos } });
    world = started;
    for (const { product, running } of members) running.connect(started.deliverd.url, product.key);
    await endPolling(started);
    return { members, deliver: (member) => deliver(started, member), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** From now on another process has the duty to look for what no webhook says. The first look is over. */
async function endPolling({ deliverd }: World): Promise<void> {
  await until("every entry of repos has been looked at", () =>
    deliverd.output().split("looked at every repo of an entry once").length > products.length ? true : null,
  );
  const ledger = await openLedger({ dataDir: deliverd.dataDir });
  try {
    const held = { owner: "nobody", until: Date.now() + DAY };
    await ledger.db.updateTable("duties").set(held).where("name", "=", "watch").execute();
  } finally {
    await ledger.close();
  }
}

async function deliver({ deliverd }: World, { product, running, repo }: Member): Promise<string[]> {
  const name = `${product.key}/${running.owner}/${NAME}`;
  // Each repo has names of its own in the registry.
  const artifact = image(NAME, { publish: [{ to: "local", as: `acme/${product.key}` }] });
  const sha = await repo.commit({ ".deliverd.yml": pipeline([artifact]), "greeting.txt": `${randomUUID()}\n` });
  running.forgetCalls();
  await repo.push();
  await until(`the commit of ${name} waits, and is prepared`, async () => {
    const query = new URLSearchParams({ repo: name, sha });
    const { items } = await deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query}`);
    const [delivery] = items;
    return delivery?.state === "waiting" && delivery.artifacts.every(({ digest }) => digest !== null) ? delivery : null;
  });
  await running.pass(repo, sha, "test");
  // In place of the look by the clock, which comes after 30 s.
  if (!product.tellsCi)
    await deliverd.api("/api/v1/deliveries", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ repo: name, sha }),
    });
  await until(`${name} is released and reported`, () =>
    running.reportOn(repo, sha, `deliverd/${NAME}`)?.state === running.success ? true : null,
  ).catch((error: unknown) => {
    throw new Error(`${error}\n${running.calls().join("\n")}\n${deliverd.output().slice(-4_000)}`);
  });
  return upToReport(running.calls().filter((call) => (/[0-9a-f]{40}/.exec(call)?.[0] ?? sha) === sha));
}

/** What comes after the report of the release is the look at what that report itself caused. */
function upToReport(calls: string[]): string[] {
  return calls.slice(0, calls.findLastIndex((call) => !call.startsWith("GET ")) + 1);
}
