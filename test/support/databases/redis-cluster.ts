import { Redis } from "ioredis";
import { freePort, until } from "../processes/process.ts";
import { startRedis, type TestRedis } from "./redis.ts";

const SLOTS = 16_384;

export interface RedisCluster {
  /** Of each node; none of them holds all slots. */
  urls: string[];
  stop(): Promise<void>;
}

/** A real Redis Cluster of three masters on 127.0.0.1. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes: TestRedis[] = [];
  for (let node = 0; node < 3; node++) {
    // Its bus has a port of its own, by default ten thousand above the other: that may be none.
    const bus = await freePort();
    const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-port", `${bus}`];
    nodes.push(await startRedis({ args }));
  }
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    const [first, ...others] = clients;
    if (first === undefined) throw new Error("no node");
    for (const { options } of others) {
      const port = Number(options.port);
      const bus = Number((await busOf(clients, port)) ?? port + 10_000);
      await first.call("cluster", "meet", "127.0.0.1", `${port}`, `${bus}`);
    }
    const share = Math.ceil(SLOTS / clients.length);
    for (const [index, client] of clients.entries()) {
      const end = Math.min(SLOTS, (index + 1) * share) - 1;
      await client.call("cluster", "addslotsrange", `${index * share}`, `${end}`);
    }
    for (const client of clients)
      await until("the cluster is whole", async () =>
        /cluster_state:ok/.test(String(await client.call("cluster", "info"))),
      );
  } finally {
    for (const client of clients) client.disconnect();
  }
  return {
    urls: nodes.map(({ url }) => url),
    async stop() {
      for (const node of nodes) await node.stop("SIGKILL");
    },
  };
}

async function busOf(clients: Redis[], port: number): Promise<string | undefined> {
  const client = clients.find(({ options }) => options.port === port);
  return ((await client?.config("GET", "cluster-port")) as string[] | undefined)?.[1];
}
