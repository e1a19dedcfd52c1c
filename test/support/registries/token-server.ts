import { createHash, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/** What the token server knows and how it behaves; change it at will. */
export interface TokenRules {
  /** Seconds for which the registry takes a token. */
  life: number;
  /** Seconds that it tells the client; null leaves the field out. */
  told: number | null;
  /** Actions that are granted of those asked for. */
  actions: string[];
}

export interface TokenServer {
  realm: string;
  rules: TokenRules;
  /** Tokens given so far, by the scopes asked for. */
  given: string[][];
  /** What came without the right password. */
  refused: number;
  stop(): Promise<void>;
}

/** docker-registry takes a token for a minute after its end (distribution 2.8, registry/auth/token, Leeway). */
const leeway = 60;

/** A token server after Distribution's token authentication specification, RS256. */
export async function startTokenServer(options: {
  service: string;
  issuer: string;
  username: string;
  password: string;
  /** PEM. */
  key: string;
  /** PEM. */
  certificate: string;
}): Promise<TokenServer> {
  const expected = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString("base64")}`;
  const x5c = [options.certificate.replace(/-----[^-]+-----|\s/g, "")];
  const tokenFor = (scopes: string[]) => {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const access = scopes.map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",").filter((action) => tokens.rules.actions.includes(action)) };
    });
    const claims = {
      iss: options.issuer,
      sub: options.username,
      aud: options.service,
      iat: now - 3600,
      nbf: now - 3600,
      exp: now + tokens.rules.life - leeway,
      jti: randomUUID(),
      access,
    };
    const text = `${part({ typ: "JWT", alg: "RS256", x5c })}.${part(claims)}`;
    return `${text}.${sign("sha256", Buffer.from(text), options.key).toString("base64url")}`;
  };
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    if (fingerprint(request.headers.authorization ?? "") !== fingerprint(expected)) {
      tokens.refused++;
      response
        .writeHead(401, { "Content-Type": "application/json" })
        .end('{"details":"incorrect username or password"}');
      return;
    }
    const scopes = searchParams.getAll("scope");
    tokens.given.push(scopes);
    const { told } = tokens.rules;
    const answer = { token: tokenFor(scopes), ...(told === null ? {} : { expires_in: told }) };
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const tokens: TokenServer = {
    realm: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/token`,
    rules: { life: 300, told: 300, actions: ["pull", "push"] },
    given: [],
    refused: 0,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return tokens;
}

function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
