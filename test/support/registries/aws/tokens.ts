import { randomBytes } from "node:crypto";

/** Tokens that end: after their time, or when a test ends them before it. */
export class Tokens {
  /** Seconds that a new token lives. */
  life = 12 * 3600;
  /** Whether an answer says when a token ends: AWS's model requires it of none. */
  tellsEnd = true;
  readonly #valid = new Map<string, number>();

  issue(): { token: string; expires: number | undefined } {
    const token = `canary-aws-token-${randomBytes(12).toString("hex")}`;
    const expires = Date.now() / 1000 + this.life;
    this.#valid.set(token, expires);
    return { token, expires: this.tellsEnd ? expires : undefined };
  }

  isValid(token: string): boolean {
    return (this.#valid.get(token) ?? 0) > Date.now() / 1000;
  }

  endAll(): void {
    this.#valid.clear();
  }

  get all(): string[] {
    return [...this.#valid.keys()];
  }

  /** Basic with the user that AWS prescribes, or Bearer. */
  admits(authorization: string | undefined, user: string): boolean {
    const [scheme, value = ""] = (authorization ?? "").split(" ");
    if (scheme === "Bearer") return this.isValid(value);
    const [name, password = ""] = Buffer.from(value, "base64").toString().split(":");
    return scheme === "Basic" && name === user && this.isValid(password);
  }
}
