import { userInfo } from "node:os";
import { ConfigError } from "../delivery/errors.ts";

/** The keys that name a port on which deliverd serves HTTP, with the variable of each. */
const VARIABLES = { port: "PORT", workerPort: null } as const;

/** The error of a port that cannot be listened on: why, and what to do. @param error what `listen` threw */
export function portError(key: keyof typeof VARIABLES, port: number, error: unknown): ConfigError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const variable = VARIABLES[key];
  const set = `set ${key}${variable === null ? "" : ` (or ${variable})`}`;
  const told: Record<string, string> = {
    EADDRINUSE:
      `another program listens on port ${port} already, perhaps another deliverd. ` +
      `Stop it (ss -ltnp 'sport = :${port}' shows which it is), or ${set} to a free port.`,
    EACCES:
      `the user of deliverd (${userInfo().username}) may not listen on port ${port}. ` +
      `Let a reverse proxy lead that port to deliverd, and ${set} to one of 1024 or above.`,
  };
  const what = told[code] ?? `deliverd cannot listen on port ${port}: ${message}. Correct it, or ${set} to another.`;
  return new ConfigError("port-unusable", `${key}: ${what}`, { cause: error });
}
