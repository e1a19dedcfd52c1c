import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { startRedis } from "../support/databases/redis.ts";
import { peakOf } from "../support/processes/memory.ts";
import { until } from "../support/processes/process.ts";
import { type Deliverd, type DeliverdOptions, startDeliverd } from "../support/world/deliverd.ts";

const SECRET = "a secret that no attacker knows";
const BODY = JSON.stringify({ zen: "Keep it logically awesome." });
const SIGNATURE = createHmac("sha256", SECRET).update(BODY).digest("hex");

/** A receiver of its own process, its attackers, and an honest host that goes on sending webhooks. */
export interface Target {
  deliverd: Deliverd;
  /** Opens so many connections and writes the same on each; none of them reads unless told. */
  attack(count: number, text: string, options?: { reads?: boolean }): Promise<Attacker[]>;
  /** Sends so many webhooks one after the other, each on a connection of its own. */
  webhooks(count: number): Promise<void>;
  /** The statuses of the answers to webhooks since the last time, and how long each took in ms. */
  answers(): { statuses: number[]; took: number[] };
  /** One request on a connection of its own: all that is answered, with `connection: close`. */
  ask(head: string): Promise<string>;
  /** Ends all attackers. */
  calm(): Promise<void>;
  /** RSS at its peak, in MB. */
  peak(): Promise<number>;
  stop(): Promise<void>;
}

export interface Attacker {
  socket: Socket;
  heard: string;
}

export async function startTarget({ config, env }: Pick<DeliverdOptions, "config" | "env">): Promise<Target> {
  const redis = await startRedis();
  const deliverd = await startDeliverd({
    command: "receiver",
    env,
    config: {
      redisUrl: redis.url,
      hosts: { github: { type: "github", apiUrl: "http://127.0.0.1:9", webhookSecret: SECRET } },
      repos: ["*/*"],
      ...config,
    },
  });
  const { hostname, port } = new URL(deliverd.url);
  const attackers: Attacker[] = [];
  const statuses: number[] = [];
  const took: number[] = [];
  const dial = (reads: boolean): Attacker => {
    const attacker = { socket: connect(Number(port), hostname), heard: "" };
    attacker.socket.on("error", () => {});
    if (reads)
      attacker.socket.on("data", (data) => {
        attacker.heard = (attacker.heard + data).slice(0, 100_000);
      });
    attackers.push(attacker);
    return attacker;
  };
  const ask = async (head: string) => {
    const { socket } = dial(true);
    let heard = "";
    socket.on("data", (data) => {
      heard += data;
    });
    socket.write(head);
    await new Promise((resolve) => socket.once("close", resolve));
    return heard;
  };
  return {
    deliverd,
    ask,
    async attack(count, text, { reads = false } = {}) {
      const sent = Array.from({ length: count }, () => dial(reads));
      for (const { socket } of sent) socket.write(text);
      await until("all are connected or refused", () => sent.every(({ socket }) => !socket.connecting));
      return sent;
    },
    async webhooks(count) {
      for (let sent = 0; sent < count; sent++) {
        const begin = performance.now();
        const heard = await ask(
          `POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${BODY.length}\r\nx-github-event: ping\r\nx-hub-signature-256: sha256=${SIGNATURE}\r\n\r\n${BODY}`,
        );
        took.push(performance.now() - begin);
        statuses.push(Number(heard.slice(9, 12)));
      }
    },
    answers: () => ({ statuses: statuses.splice(0), took: took.splice(0) }),
    async calm() {
      const leaving = attackers.splice(0).filter(({ socket }) => !socket.closed);
      await Promise.all(
        leaving.map(({ socket }) => {
          const gone = new Promise((resolve) => socket.once("close", resolve));
          socket.destroy();
          return gone;
        }),
      );
    },
    peak: () => peakOf(deliverd.pid()),
    async stop() {
      for (const { socket } of attackers) socket.destroy();
      await deliverd.remove();
      await redis.stop();
    },
  };
}
