import { describe } from "../config/problems.ts";
import { MAX_SERVER_BYTES, readConfigText } from "../config/server.ts";
import { substitute } from "../config/substitute.ts";
import { type Problem, readYaml } from "../config/yaml.ts";
import { ConfigError } from "../delivery/errors.ts";
import { type FoundToken, readAdminToken } from "./found-token.ts";

/** What a client command needs of the configuration of a server on this machine. */
export interface LocalServer {
  url: string;
  /** Its admin token, from `adminToken` or from the file in `dataDir`. */
  token: FoundToken;
}

/**
 * Reads `port`, `dataDir` and `adminToken`, and nothing else: the secrets that other keys refer to need not be set for
 * the person who calls a client command.
 * @throws ConfigError if the file cannot be read, or if its port cannot be used
 */
export async function readLocalServer(path: string, env: NodeJS.ProcessEnv): Promise<LocalServer> {
  const file = readYaml(readConfigText(path), MAX_SERVER_BYTES);
  const fail = (problems: Problem[]) => new ConfigError("bad-config", describe(path, problems));
  if (file.problems.length > 0) throw fail(file.problems);
  const data = (typeof file.data === "object" && file.data !== null ? file.data : {}) as Record<string, unknown>;
  const textOf = (key: string): { text: string | null; problems: Problem[] } => {
    const problems: Problem[] = [];
    const value = substitute(data[key], env, (_path, text) => problems.push({ line: file.lineOf([key]), key, text }));
    const isScalar = typeof value === "string" || typeof value === "number";
    return { text: isScalar && value !== "" ? String(value) : null, problems };
  };
  // Where the process runs is for its environment to say, so PORT and DELIVERD_DATA_DIR go before the file.
  const port = env.PORT ? { text: env.PORT, problems: [] } : textOf("port");
  if (port.problems.length > 0) throw fail(port.problems);
  if (port.text !== null && !/^\d{1,5}$/.test(port.text))
    throw fail([{ line: file.lineOf(["port"]), key: "port", text: "expected a whole number from 0 to 65535" }]);
  const dataDir = env.DELIVERD_DATA_DIR || (textOf("dataDir").text ?? "data");
  const token = textOf("adminToken");
  const [unset] = token.problems;
  return {
    url: `http://127.0.0.1:${port.text ?? 8080}`,
    token:
      unset !== undefined
        ? { kind: "missing", because: describe(path, [unset]) }
        : token.text !== null
          ? { kind: "found", token: token.text, source: `adminToken in ${path}` }
          : await readAdminToken(dataDir),
  };
}
