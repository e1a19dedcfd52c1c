import { randomInt } from "node:crypto";
import type { Files } from "../support/fixtures/work-tree.ts";
import { pidsOf } from "../support/processes/command-lines.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline } from "../support/world/world.ts";

/** A build that goes on until the test lets it end, however quick or slow the machine. */
export interface Hold {
  /** An image `acme/<name>` whose build waits in a step. */
  files: Files;
  /** The steps that wait now, each a process. */
  waiting(): Promise<number[]>;
  /** Waits until a build waits. */
  held(timeout?: number): Promise<void>;
  /** Waits until no build waits any more. */
  gone(timeout?: number): Promise<void>;
  /** Waits for the build and lets it go on; the step then counts as done, also for a later build. */
  release(timeout?: number): Promise<void>;
}

/** @param after what the step does when it goes on, in shell */
export function hold(name: string, { to = ["local"], after = "true" }: { to?: string[]; after?: string } = {}): Hold {
  // Known by its number among all processes: tests share an engine, and may run beside another suite.
  const sleep = ["/bin/busybox", "sleep", `${90_000 + randomInt(900_000_000)}`] as const;
  const publish = to.map((registry) => ({ to: registry, as: `acme/${name}` }));
  const step = JSON.stringify(["/bin/busybox", "sh", "-c", `PATH=/bin; ${sleep.join(" ")}; ${after}`]);
  const waiting = () => pidsOf(...sleep);
  const isHeld = async () => (await waiting()).length > 0;
  const held = (timeout = 60_000) => until(`the build of ${name} waits`, isHeld, timeout);
  return {
    files: {
      Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ${step}\nCOPY greeting.txt /\n`,
      ".deliverd.yml": pipeline([image(name, { publish })]),
    },
    waiting,
    held: (timeout) => held(timeout).then(() => {}),
    gone: (timeout = 60_000) =>
      until(`no build of ${name} waits`, async () => !(await isHeld()), timeout).then(() => {}),
    async release(timeout) {
      await held(timeout);
      for (const pid of await waiting()) process.kill(pid, "SIGTERM");
    },
  };
}
