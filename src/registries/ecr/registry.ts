import type { Writable } from "node:stream";
import { ConfigError, Refused } from "../../delivery/errors.ts";
import type { Frozen } from "../../delivery/frozen.ts";
import type { Attachment } from "../../delivery/proof/attachment.ts";
import type { ArtifactName, Location, RegistryName } from "../../delivery/types.ts";
import { type Clock, systemClock } from "../../run/clock.ts";
import type { Run } from "../../run/run.ts";
import { lazily } from "../protocols/aws/sdk.ts";
import { readPublicUrl } from "../protocols/http/endpoint.ts";
import { ImageRegistry, type Stock } from "../protocols/oci/image-registry.ts";
import type { AttachOptions, Found, Registry } from "../registry.ts";
import { EcrApi, type EcrConfig } from "./api.ts";

export type { EcrConfig } from "./api.ts";

const RIGHTS =
  "deliverd takes a token from AWS as the password: the IAM policy must allow ecr:BatchCheckLayerAvailability, " +
  "ecr:BatchGetImage, ecr:CompleteLayerUpload, ecr:GetDownloadUrlForLayer, ecr:InitiateLayerUpload, ecr:PutImage " +
  "and ecr:UploadLayerPart.";

/**
 * AWS Elastic Container Registry: OCI distribution under the address that its API gives, with a password that lives for
 * twelve hours. Repositories are made where they are missing.
 */
class EcrRegistry implements Registry {
  readonly #key: string;
  readonly #config: EcrConfig;
  readonly #api: EcrApi;
  readonly #images: () => Promise<ImageRegistry>;

  constructor(key: string, config: EcrConfig, stock: Stock, clock: Clock) {
    this.#key = key;
    this.#config = config;
    this.#api = new EcrApi(key, config, clock, stock.learn);
    // The address is the API's to say, so there is no registry before the first token.
    this.#images = lazily(async () => {
      const url = await this.#api.endpoint();
      const checkRepository = config.checkRepository ?? null;
      const authorize = (refused?: string) => this.#api.authorization(refused);
      const shown = { pullHost: url.host, publicUrl: readPublicUrl(key, config.publicUrl) };
      return new ImageRegistry({ key, url, credentials: null, authorize, ...shown, checkRepository }, stock);
    });
  }

  async check(): Promise<void> {
    try {
      await (await this.#images()).check();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new ConfigError(error.code, `registries.${this.#key}: ${error.message}`, { cause: error });
    }
  }

  async find(name: ArtifactName, run: Run, content?: Frozen): Promise<Found | null> {
    return (await this.#images()).find(name, run, content);
  }

  async upload(content: Frozen, name: ArtifactName, run: Run): Promise<void> {
    const images = await this.#images();
    await this.#inRepository(name.repository, run, () => images.upload(content, name, run));
  }

  async publish(content: Frozen, name: ArtifactName, run: Run): Promise<Location> {
    const images = await this.#images();
    try {
      return await this.#inRepository(name.repository, run, () => images.publish(content, name, run));
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "registry-refused" || name.immutable) throw error;
      throw new Refused(
        "ecr-tag-immutable",
        `${error.message}. ${name.repository} does not let ${name.tag} move: ` +
          "add the tag to the repository's mutability exclusions " +
          `(and to registries.${this.#key}.movingTags, for new repositories), or make its tags mutable.`,
        { cause: error },
      );
    }
  }

  async restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    return (await this.#images()).restore(name, run, content);
  }

  async pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    await (await this.#images()).pull(name, into, run, content);
  }

  async attach(
    proof: Attachment,
    names: readonly RegistryName[],
    how: AttachOptions,
    run: Run,
  ): Promise<string | null> {
    return (await this.#images()).attach(proof, names, how, run);
  }

  /** Does it once more where the repository was missing, and has been made. */
  async #inRepository<T>(repository: string, run: Run, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.code === "registry-denied")
        throw new Refused(error.code, `${error.message} ${RIGHTS}`, { cause: error });
      if (error.code !== "registry-name-unknown" || !this.#config.createRepositories) throw error;
      await this.#api.createRepository(repository, run);
      return work();
    }
  }
}

/** Nothing is loaded or asked here. */
export function ecrRegistry(key: string, config: EcrConfig, stock: Stock, clock: Clock = systemClock): Registry {
  return new EcrRegistry(key, config, stock, clock);
}
