import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { startServer, tempDir, until } from "../processes/process.ts";

/** Runs inside the other network namespace: takes connections on its 127.0.0.1 and hands them to the socket. */
const doorman = `
const net = require("node:net");
const [port, socket] = process.argv.slice(1);
net.createServer((from) => {
  const to = net.connect(socket);
  from.pipe(to).pipe(from);
  from.on("error", () => to.destroy());
  to.on("error", () => from.destroy());
}).listen(Number(port), "127.0.0.1", () => console.log("open"));
`;

/**
 * Opens ports of our 127.0.0.1 under the same numbers on the 127.0.0.1 of a container, given the pid of its first process:
 * stand-ins then need no other address. Unix sockets pass between network namespaces, TCP does not.
 */
export async function lendLoopback(pid: number, ports: number[]): Promise<{ close(): Promise<void> }> {
  const dir = await tempDir();
  const doors = await Promise.all(
    ports.map(async (port) => {
      const socket = join(dir.path, `${port}`);
      const ours = createServer((from) => {
        const to = connect(port, "127.0.0.1");
        from.pipe(to).pipe(from);
        from.on("error", () => to.destroy());
        to.on("error", () => from.destroy());
      });
      ours.listen(socket);
      await once(ours, "listening");
      const args = [`--target=${pid}`, "--net", process.execPath, "-e", doorman, `${port}`, socket];
      const theirs = await startServer("nsenter", args, () => {});
      await until(`port ${port} is open in the container`, () => theirs.output().includes("open"));
      return async () => {
        await theirs.stop();
        ours.close();
      };
    }),
  );
  return {
    async close() {
      await Promise.all(doors.map((close) => close()));
      await dir.remove();
    },
  };
}
