import type { ClientOptions } from "./client.ts";
import type { LocalServer } from "./client-config.ts";
import { EXIT, Failure } from "./exit.ts";
import { type FoundToken, readAdminToken, tokenFromEnvironment } from "./found-token.ts";

/** What a person gave a client command on its command line. */
export interface ClientArguments {
  server?: string | undefined;
  config?: string | undefined;
}

/**
 * The server to ask, and the token for it. The command line goes before the environment: docs/reference/command-line.md
 * has the order.
 * @throws ConfigError if `--config` cannot be used, Failure if the address or the token cannot be used
 */
export async function clientOptions(given: ClientArguments, env: NodeJS.ProcessEnv): Promise<ClientOptions> {
  const asked = given.config ? await readLocalServer(given.config, env) : null;
  const url = given.server || asked?.url || env.DELIVERD_SERVER;
  const ownToken = asked?.token.kind === "found" ? asked.token : await tokenFromEnvironment(env, "DELIVERD_TOKEN");
  // The configuration of a server in the environment may be unreadable to this user, and is then not needed.
  const isEnough = url && ownToken.kind === "found";
  const ambient = isEnough || asked !== null ? null : await ambientServer(env);
  const tokens = [
    async () => ownToken,
    async () => ambient?.token ?? null,
    () => tokenFromEnvironment(env, "DELIVERD_ADMIN_TOKEN"),
    async () => (env.DELIVERD_DATA_DIR ? readAdminToken(env.DELIVERD_DATA_DIR) : null),
  ];
  return {
    server: checkServer(url || ambient?.url || env.DELIVERD_PUBLIC_URL || `http://127.0.0.1:${env.PORT || 8080}`),
    ...(await firstToken(tokens, asked?.token)),
  };
}

/** Loads the code for it first: most calls need no configuration. */
async function readLocalServer(path: string, env: NodeJS.ProcessEnv): Promise<LocalServer> {
  return (await import("./client-config.ts")).readLocalServer(path, env);
}

/** The server of DELIVERD_CONFIG; null if there is none. If its file cannot be used, the other variables may be enough. */
async function ambientServer(env: NodeJS.ProcessEnv): Promise<Partial<LocalServer> | null> {
  if (!env.DELIVERD_CONFIG) return null;
  try {
    return await readLocalServer(env.DELIVERD_CONFIG, env);
  } catch (error) {
    return { token: { kind: "missing", because: error instanceof Error ? error.message : String(error) } };
  }
}

type TokenSource = () => Promise<FoundToken | null>;

async function firstToken(
  sources: TokenSource[],
  asked: FoundToken | undefined,
): Promise<Pick<ClientOptions, "token" | "tokenSource">> {
  const reasons = asked?.kind === "missing" ? [asked.because] : [];
  for (const source of sources) {
    const found = await source();
    if (found?.kind === "missing" && found.because !== "") reasons.push(found.because);
    if (found?.kind !== "found" || found.token === "") continue;
    // fetch would quote the token in its error.
    if (!/^[\x21-\x7e]+$/.test(found.token))
      throw new Failure(
        EXIT.usage,
        `The token from ${found.source} has characters that no token has, such as a space.`,
      );
    return { token: found.token, tokenSource: `The token came from ${found.source}.` };
  }
  const [because] = reasons;
  return { token: null, tokenSource: because === undefined ? "There is no token." : `There is no token: ${because}.` };
}

/** @returns the address without a slash at its end */
function checkServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // Without the scheme, `localhost:8080` is a URL of the scheme `localhost`.
  if (url === null || !["http:", "https:"].includes(url.protocol))
    throw new Failure(EXIT.usage, `"${text}" is not the address of a server: write one such as http://127.0.0.1:8080`);
  if (url.username !== "" || url.password !== "")
    throw new Failure(EXIT.usage, "The address of the server must hold no password: use DELIVERD_TOKEN for the token.");
  if (url.search !== "" || url.hash !== "")
    throw new Failure(EXIT.usage, `"${text}" is not the address of a server: remove what is after the path`);
  return text.replace(/\/+$/, "");
}
