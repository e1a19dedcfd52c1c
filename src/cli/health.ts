import { readFileSync } from "node:fs";
import { get } from "node:http";
import { resolve } from "node:path";
import type { Environment } from "../config/environment.ts";
import { type DaemonProcess, daemonProcesses } from "./daemon-processes.ts";
import { EXIT, Failure } from "./exit.ts";

/*
 * HEALTHCHECK runs this every few seconds, beside a daemon that needs the CPU. So it loads neither the daemon nor the
 * schemas of the configuration, and reads a file only where the environment does not say the port.
 */

const TIMEOUT_MS = 4_000;
const DEFAULT_PORTS = { port: 8080, workerPort: 8081 } as const;

type PortKey = keyof typeof DEFAULT_PORTS;

/** What came of asking one process, as a line for the person. */
interface Answer {
  answers: boolean;
  line: string;
}

/**
 * Asks the processes of deliverd beside this one whether they live, under the ports that they listen on.
 * @param config of `--config` or DELIVERD_CONFIG. A process with another file is left out. Without it, each process has
 *   its own
 * @returns a line for each process that answers
 * @throws Failure with exit code 1 if one of them does not answer, or if there is none
 */
export async function health(
  config: string | undefined,
  env: Environment,
  processes: readonly DaemonProcess[] = daemonProcesses(),
): Promise<string[]> {
  const file = config === undefined ? null : resolve(config);
  const meant = processes.filter((one) => file === null || one.config === null || one.config === file);
  const answers = meant.length === 0 ? await askEither(config, env) : await askAll(meant, config, env);
  const failures = answers.filter(({ answers }) => !answers);
  if (failures.length > 0) {
    const remedy = meant.length === 0 ? remedyWithoutProcess(config) : REMEDY;
    throw new Failure(EXIT.failed, [...failures.map(({ line }) => line), remedy].join("\n"));
  }
  return answers.map(({ line }) => line);
}

const REMEDY =
  "If it has just started, ask again in some seconds. If not, its log (docker logs, journalctl) says why; restart it if it hangs.";

function remedyWithoutProcess(config: string | undefined): string {
  const port = config === undefined ? "name its file with --config, or its port with PORT" : `check port in ${config}`;
  return `No process of deliverd is seen here: start it with \`deliverd start\`. If it runs, ${port}.`;
}

function askAll(processes: readonly DaemonProcess[], config: string | undefined, env: Environment): Promise<Answer[]> {
  return Promise.all(
    processes.map(async ({ command, config: own }) => {
      const key = command === "worker" ? "workerPort" : "port";
      return ask(`deliverd ${command}`, await portOf(key, config ?? own ?? undefined, env));
    }),
  );
}

/** With no process in sight, whoever answers under one of the two ports is it: they may not be seen from here. */
async function askEither(config: string | undefined, env: Environment): Promise<Answer[]> {
  const keys = ["port", "workerPort"] as const;
  const answers = await Promise.all(keys.map(async (key) => ask("deliverd", await portOf(key, config, env))));
  const good = answers.filter(({ answers }) => answers);
  return good.length > 0 ? good : answers;
}

async function portOf(key: PortKey, config: string | undefined, env: Environment): Promise<number> {
  if (key === "port" && env.PORT) return Number(env.PORT);
  return config === undefined ? DEFAULT_PORTS[key] : portIn(config, key, env);
}

/** Reads one key. What is wrong with the rest of the file is for the daemon to say. */
async function portIn(file: string, key: PortKey, env: Environment): Promise<number> {
  const [{ readYaml }, { substitute }] = await Promise.all([
    import("../config/yaml.ts"),
    import("../config/substitute.ts"),
  ]);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { whyUnreadable } = await import("../config/unreadable.ts");
    const remedy = "Name a readable file with --config or DELIVERD_CONFIG.";
    throw new Failure(EXIT.failed, `${file} cannot be read ${whyUnreadable(file, error)}. ${remedy}`);
  }
  const data: unknown = readYaml(text, Number.POSITIVE_INFINITY).data;
  const value: unknown = typeof data === "object" && data !== null ? Reflect.get(data, key) : undefined;
  return Number(substitute(value ?? DEFAULT_PORTS[key], env, () => {}));
}

async function ask(name: string, port: number): Promise<Answer> {
  // Node would ask port 80, and another program would answer there.
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    return {
      answers: false,
      line: `${name} cannot be asked: its port has to be a whole number from 1 to 65535. Correct port, workerPort or PORT`,
    };
  return new Promise((resolve) => {
    const unwell = (why: string) =>
      resolve({ answers: false, line: `${name} does not answer on port ${port}: ${why}` });
    const request = get(
      { host: "127.0.0.1", port, path: "/healthz", agent: false, timeout: TIMEOUT_MS },
      (response) => {
        response.resume();
        if (response.statusCode === 200) resolve({ answers: true, line: `${name} answers on port ${port}` });
        else unwell(`its answer is ${response.statusCode}`);
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
    request.on("error", (error: NodeJS.ErrnoException) =>
      unwell(error.code === "ECONNREFUSED" ? "nothing listens there (ECONNREFUSED)" : error.message),
    );
  });
}
