import type { Readable } from "node:stream";
import type { CodeartifactClient, HashAlgorithm, PackageFormat } from "@aws-sdk/client-codeartifact";
import { TransientError } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";
import type { Body } from "../../http/body.ts";
import type { Clock } from "../../run/clock.ts";
import { ask, isAnswer, type Question } from "../protocols/aws/ask.ts";
import { clientSettings, lazily } from "../protocols/aws/sdk.ts";
import { type Learn, type Token, TokenKeeper } from "../protocols/aws/token.ts";

/** `registries.<key>` of type `codeartifact`. */
export interface CodeArtifactConfig {
  region: string;
  domain: string;
  /** The account that owns the domain. */
  domainOwner: string;
  repository: string;
  /** What people are told in place of the endpoints of packages. */
  publicUrl?: string | null | undefined;
}

/** One version of a package, in CodeArtifact's words. */
export interface PackageVersion {
  format: Extract<PackageFormat, "generic" | "maven">;
  namespace: string;
  package: string;
  version: string;
}

export interface Asset {
  name: string;
  /** Of the bytes that CodeArtifact has. */
  digest: Digest | null;
}

/** Seconds. The least that AWS gives are 900. */
const TOKEN_LIFE = 3600;

/**
 * CodeArtifact's API. Every method throws as `ask` does.
 * @see https://docs.aws.amazon.com/codeartifact/latest/APIReference/
 */
export class CodeArtifactApi {
  readonly label: string;
  readonly config: CodeArtifactConfig;
  readonly #tokens: TokenKeeper<string>;
  readonly #sdk: () => Promise<{ sdk: typeof import("@aws-sdk/client-codeartifact"); client: CodeartifactClient }>;

  constructor(key: string, config: CodeArtifactConfig, clock: Clock, learn?: Learn) {
    this.label = `registry ${key} (CodeArtifact ${config.domain}/${config.repository} in ${config.region})`;
    this.config = config;
    this.#tokens = new TokenKeeper(() => this.#token(), clock, learn);
    this.#sdk = lazily(async () => {
      const sdk = await import("@aws-sdk/client-codeartifact");
      return { sdk, client: new sdk.CodeartifactClient(clientSettings(config.region)) };
    });
  }

  /** For the package endpoints. @param isRefused says of a token whether it was not taken a moment ago */
  token(isRefused: (token: string) => boolean): Promise<string> {
    return this.#tokens.current(isRefused);
  }

  /** Where a package manager finds the repository. */
  async endpoint(format: PackageFormat, signal: AbortSignal): Promise<URL> {
    const { sdk, client } = await this.#sdk();
    const order = new sdk.GetRepositoryEndpointCommand({ ...this.#repository, format });
    const question = this.#question("codeartifact:GetRepositoryEndpoint", signal);
    const { repositoryEndpoint = "" } = await ask(question, () => client.send(order, { abortSignal: signal }));
    if (URL.canParse(repositoryEndpoint)) return new URL(repositoryEndpoint);
    throw new TransientError("registry-unavailable", `${this.label} answered without an endpoint for ${format}.`);
  }

  /** As in `Published`; null: there is no such version. */
  async status(version: PackageVersion, signal: AbortSignal): Promise<string | null> {
    const { sdk, client } = await this.#sdk();
    const order = new sdk.DescribePackageVersionCommand({ ...this.#repository, ...inWords(version) });
    const question = this.#question("codeartifact:DescribePackageVersion", signal);
    return orNull(async () => {
      const { packageVersion } = await ask(question, () => client.send(order, { abortSignal: signal }));
      return packageVersion?.status ?? null;
    });
  }

  /** Null: there is no such version. */
  async assets(version: PackageVersion, signal: AbortSignal): Promise<Asset[] | null> {
    const { sdk, client } = await this.#sdk();
    const question = this.#question("codeartifact:ListPackageVersionAssets", signal);
    const found: Asset[] = [];
    let nextToken: string | undefined;
    return orNull(async () => {
      do {
        const order = new sdk.ListPackageVersionAssetsCommand({ ...this.#repository, ...inWords(version), nextToken });
        const page = await ask(question, () => client.send(order, { abortSignal: signal }));
        for (const { name = "", hashes } of page.assets ?? []) found.push({ name, digest: digestIn(hashes) });
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return found;
    });
  }

  async open(version: PackageVersion, asset: string, signal: AbortSignal): Promise<Readable> {
    const { sdk, client } = await this.#sdk();
    const order = new sdk.GetPackageVersionAssetCommand({ ...this.#repository, ...inWords(version), asset });
    const question = this.#question("codeartifact:GetPackageVersionAsset", signal);
    const answer = await ask(question, () => client.send(order, { abortSignal: signal }));
    return answer.asset as Readable;
  }

  /** @param unfinished more assets are to come: only then does the version stay open */
  async publish(
    version: PackageVersion,
    asset: { name: string; digest: Digest; body: Body; unfinished: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { sdk, client } = await this.#sdk();
    const { name, digest, body, unfinished } = asset;
    const source = body.open();
    const order = new sdk.PublishPackageVersionCommand({
      ...{ ...this.#repository, ...inWords(version), format: "generic" },
      ...{ assetName: name, assetContent: source, assetSHA256: digest.slice("sha256:".length) },
      ...(unfinished && { unfinished }),
    });
    // The SDK knows the length of files alone, and would send any other stream in chunks.
    order.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> };
        headers["content-length"] = String(body.length);
        return next(args);
      },
      { step: "build", name: "lengthOfAsset" },
    );
    const question = this.#question("codeartifact:PublishPackageVersion", signal);
    try {
      await ask(question, () => client.send(order, { abortSignal: signal }));
    } finally {
      source.destroy();
    }
  }

  get #repository() {
    const { domain, domainOwner, repository } = this.config;
    return { domain, domainOwner, repository };
  }

  async #token(): Promise<Token<string>> {
    const { sdk, client } = await this.#sdk();
    const { domain, domainOwner } = this.config;
    // Shared by all who wait for it, so no single one of them may abort it.
    const signal = AbortSignal.timeout(60_000);
    const order = new sdk.GetAuthorizationTokenCommand({ domain, domainOwner, durationSeconds: TOKEN_LIFE });
    const question = this.#question("codeartifact:GetAuthorizationToken (with sts:GetServiceBearerToken)", signal);
    const answer = await ask(question, () => client.send(order, { abortSignal: signal }));
    const { authorizationToken: value, expiration } = answer;
    if (!value) {
      throw new TransientError("registry-unavailable", `${this.label} answered without a token.`);
    }
    return { value, until: expiration?.getTime() ?? null, secrets: [value] };
  }

  #question(right: string, signal: AbortSignal): Question {
    return { registry: this.label, right, signal };
  }
}

function inWords({ format, namespace, package: name, version }: PackageVersion) {
  return { format, namespace, package: name, packageVersion: version };
}

function digestIn(hashes: Partial<Record<HashAlgorithm, string>> | undefined): Digest | null {
  const hex = hashes?.["SHA-256"];
  return hex === undefined ? null : `sha256:${hex.toLowerCase()}`;
}

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (isAnswer(error, "ResourceNotFoundException")) return null;
    throw error;
  }
}
