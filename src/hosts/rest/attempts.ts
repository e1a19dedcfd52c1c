import { setTimeout as delay } from "node:timers/promises";
import { Semaphore } from "../../async/semaphore.ts";
import { MAX_CONNECTIONS } from "../../http/client.ts";

const MAX_ATTEMPTS = 3;

/**
 * Runs a request again, at most twice, if it failed in a way that may pass.
 * @param mayPass whether the next attempt may succeed after this error
 */
export type Attempts = <T>(request: () => Promise<T>, mayPass: (error: unknown) => boolean) => Promise<T>;

/** @param retryBase ms before the second attempt; the third one waits four times as long */
export function createAttempts(retryBase: number): Attempts {
  // The time-out of an attempt begins when it has a connection.
  const connections = new Semaphore(MAX_CONNECTIONS);
  return async (request, mayPass) => {
    for (let attempt = 1; ; attempt++) {
      await connections.acquire();
      try {
        return await request();
      } catch (error) {
        if (!mayPass(error) || attempt === MAX_ATTEMPTS) throw error;
      } finally {
        connections.release();
      }
      await delay(retryBase * attempt ** 2);
    }
  };
}
