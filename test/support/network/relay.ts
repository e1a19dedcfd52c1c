import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Stands before any TCP server and passes on what comes, byte by byte, or does not. */
export interface Relay {
  port: number;
  /** Connections that are open. */
  open(): number;
  /** From now on nothing passes, on connections that are open and on new ones: both ends only wait. */
  stall(): void;
  /** The same for what comes back from the server alone, on those that are open. */
  stallAnswers(): void;
  resume(): void;
  /** New connections go to another server from now on, as after a failover; those that are open stay. */
  aim(port: number): void;
  /** Cuts what is open. */
  cut(): void;
  /** Cuts what is open, and refuses new connections. */
  refuse(): Promise<void>;
  /** Accepts connections again, on the same port. */
  accept(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRelay(target: number): Promise<Relay> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let isStalled = false;
  let goal = target;
  const listener = createServer((client) => {
    const server = connect(goal, "127.0.0.1");
    const pair = { client, server };
    pairs.add(pair);
    client.on("data", (chunk) => server.write(chunk));
    server.on("data", (chunk) => client.write(chunk));
    if (isStalled) client.pause();
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  const relay: Relay = {
    port: address.port,
    open: () => pairs.size,
    stall() {
      isStalled = true;
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.pause();
    },
    stallAnswers() {
      for (const { server } of pairs) server.pause();
    },
    resume() {
      isStalled = false;
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.resume();
    },
    aim(port) {
      goal = port;
    },
    cut() {
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.destroy();
    },
    async refuse() {
      const closed = once(listener, "close");
      listener.close();
      relay.cut();
      await closed;
    },
    async accept() {
      isStalled = false;
      listener.listen(address.port, "127.0.0.1");
      await once(listener, "listening");
    },
    stop: () => relay.refuse(),
  };
  return relay;
}
