import { randomInt } from "node:crypto";
import { until } from "../support/process.ts";
import { pidsOf } from "../support/processes.ts";
import type { Files } from "../support/sample-repo.ts";
import { image, pipeline } from "../support/world.ts";

/** A build that goes on until the test lets it end, however quick or slow the machine. */
export interface Hold {
  /** An image `acme/<name>` whose build waits in a step. */
  files: Files;
  /** Is a build waiting now? */
  isHeld(): Promise<boolean>;
  /** Waits until a build waits. */
  held(timeout?: number): Promise<void>;
  /** Waits until no build waits any more. */
  gone(timeout?: number): Promise<void>;
  /** Waits for the build and lets it go on; the step then counts as done, also for a later build. */
  release(timeout?: number): Promise<void>;
}

/** @param more lines of the Dockerfile after the step that waits */
export function hold(name: string, to = ["local"], more = "COPY greeting.txt /\n"): Hold {
  // Known by its number among all processes: tests share an engine, and may run beside another suite.
  const sleep = ["/bin/busybox", "sleep", `${90_000 + randomInt(900_000_000)}`] as const;
  const publish = to.map((registry) => ({ to: registry, as: `acme/${name}` }));
  const step = JSON.stringify(["/bin/busybox", "sh", "-c", `${sleep.join(" ")} || true`]);
  const isHeld = async () => (await pidsOf(...sleep)).length > 0;
  return {
    files: {
      Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ${step}\n${more}`,
      ".deliverd.yml": pipeline([image(name, { publish })]),
    },
    isHeld,
    held: (timeout = 60_000) => until(`the build of ${name} waits`, isHeld, timeout).then(() => {}),
    gone: (timeout = 60_000) =>
      until(`no build of ${name} waits`, async () => !(await isHeld()), timeout).then(() => {}),
    async release(timeout = 60_000) {
      const pids = await until(
        `the build of ${name} waits`,
        async () => {
          const waiting = await pidsOf(...sleep);
          return waiting.length > 0 && waiting;
        },
        timeout,
      );
      for (const pid of pids) process.kill(pid, "SIGTERM");
    },
  };
}
