import type { ECRClient } from "@aws-sdk/client-ecr";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Clock } from "../../run/clock.ts";
import type { Run } from "../../run/run.ts";
import { ask, isAnswer } from "../protocols/aws/ask.ts";
import { clientSettings, lazily } from "../protocols/aws/sdk.ts";
import { type Learn, type Token, TokenKeeper } from "../protocols/aws/token.ts";

/** `registries.<key>` of type `ecr`. */
export interface EcrConfig {
  region: string;
  /** The account whose registry it is. */
  account: string;
  createRepositories: boolean;
  /** Wildcards of the tags that may move in repositories that are made; all others are immutable. */
  movingTags: readonly string[];
  checkRepository: string | null;
  /** What people are told in place of the address that ECR gives. */
  publicUrl?: string | null | undefined;
}

interface Login {
  /** As `Authorization` has it. */
  header: string;
  endpoint: URL;
}

/** What of ECR is no OCI distribution. @see https://docs.aws.amazon.com/AmazonECR/latest/APIReference/ */
export class EcrApi {
  readonly #label: string;
  readonly #config: EcrConfig;
  readonly #sdk: () => Promise<{ sdk: typeof import("@aws-sdk/client-ecr"); client: ECRClient }>;
  readonly #logins: TokenKeeper<Login>;

  constructor(key: string, config: EcrConfig, clock: Clock, learn?: Learn) {
    this.#label = `registry ${key} (ECR of ${config.account} in ${config.region})`;
    this.#config = config;
    this.#sdk = lazily(async () => {
      const sdk = await import("@aws-sdk/client-ecr");
      return { sdk, client: new sdk.ECRClient(clientSettings(config.region)) };
    });
    this.#logins = new TokenKeeper(() => this.#login(), clock, learn);
  }

  /** Where the registry is. */
  async endpoint(): Promise<URL> {
    return (await this.#logins.current()).endpoint;
  }

  /** @param refused a header that the registry did not take */
  async authorization(refused?: string): Promise<string> {
    return (await this.#logins.current(({ header }) => header === refused)).header;
  }

  /** One that another made meanwhile is as good. */
  async createRepository(repositoryName: string, run: Run): Promise<void> {
    const { sdk, client } = await this.#sdk();
    const { account, movingTags } = this.#config;
    const filters = movingTags.map((filter) => ({ filterType: "WILDCARD" as const, filter }));
    const order = new sdk.CreateRepositoryCommand({
      registryId: account,
      repositoryName,
      imageScanningConfiguration: { scanOnPush: true },
      ...(filters.length === 0
        ? { imageTagMutability: "IMMUTABLE" }
        : { imageTagMutability: "IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters: filters }),
    });
    const question = { registry: this.#label, right: "ecr:CreateRepository", signal: run.signal };
    try {
      await ask(question, () => client.send(order, { abortSignal: run.signal }));
      run.log.line(`${this.#label}: made the repository ${repositoryName}`);
    } catch (error) {
      if (isAnswer(error, "RepositoryAlreadyExistsException")) return;
      if (!(error instanceof Refused)) throw error;
      throw new Refused(
        error.code,
        `${error.message} The repository ${repositoryName} does not exist: create it there, or let deliverd do it.`,
        { cause: error },
      );
    }
  }

  async #login(): Promise<Token<Login>> {
    const { sdk, client } = await this.#sdk();
    // Shared by all who wait for it, so no single one of them may abort it.
    const signal = AbortSignal.timeout(60_000);
    const question = { registry: this.#label, right: "ecr:GetAuthorizationToken", signal };
    const order = new sdk.GetAuthorizationTokenCommand({ registryIds: [this.#config.account] });
    const { authorizationData = [] } = await ask(question, () => client.send(order, { abortSignal: signal }));
    const given = authorizationData.find((each) => each.authorizationToken);
    const { authorizationToken, proxyEndpoint, expiresAt } = given ?? {};
    if (!authorizationToken) {
      throw new TransientError("registry-unavailable", `${this.#label} answered without a token.`);
    }
    // It is the base64 of `AWS:<password>`, which is what Basic wants.
    const password = Buffer.from(authorizationToken, "base64")
      .toString("utf8")
      .replace(/^[^:]*:/, "");
    return {
      value: { header: `Basic ${authorizationToken}`, endpoint: this.#endpointOf(proxyEndpoint) },
      until: expiresAt?.getTime() ?? null,
      secrets: [authorizationToken, password],
    };
  }

  /**
   * The address in the answer, or else the one in the documentation.
   * @see https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
   */
  #endpointOf(told = ""): URL {
    if (URL.canParse(told)) return new URL(told);
    const { account, region } = this.#config;
    return new URL(`https://${account}.dkr.ecr.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`);
  }
}
