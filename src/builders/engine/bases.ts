import type Dockerode from "dockerode";
import { TransientError, UserError } from "../../delivery/errors.ts";
import { isFor } from "../../delivery/image-index.ts";
import type { Run } from "../../run/run.ts";
import type { BaseImage } from "../builder.ts";
import { engineAnswer, explainEngineError, isUnreachable } from "./errors.ts";
import { readMessages } from "./messages.ts";
import { parseReference, type Reference } from "./reference.ts";
import { SharedTasks } from "./shared-tasks.ts";

/** The login for a registry's host, which is `docker.io` for Docker Hub. Null: none is configured. */
export type RegistryAuth = (host: string) => { username: string; password: string } | null;

/** Stores in which a name has one image. */
const ONE_PLATFORM = new Set(["overlay2", "overlay", "vfs", "fuse-overlayfs"]);

/** Pulls base images before a build, so that the build itself needs no credential. */
export class Bases {
  readonly #docker: Dockerode;
  readonly #registryAuth: RegistryAuth;
  readonly #pulls = new SharedTasks<string | null>();

  constructor(docker: Dockerode, registryAuth: RegistryAuth) {
    this.#docker = docker;
    this.#registryAuth = registryAuth;
  }

  /**
   * Pulls an image with the login of its host. If that fails, takes the image that the engine already has.
   * @param platform as in `linux/arm64`. Null: the engine's own
   * @throws UserError `base-missing`, TransientError `base-unreachable`, `engine-gone`
   */
  async fetch(image: string, platform: string | null, run: Pick<Run, "log" | "signal">): Promise<BaseImage> {
    const reference = parseReference(image);
    // A digest always means the same image, so one that the engine has need not be pulled.
    if (reference.digest && (await this.#inspect(image))) return found(image, reference.digest, run);
    const base = await this.#fetch(image, reference, platform, run);
    if (platform !== null) await this.#reportForeign(image, platform, run);
    return base;
  }

  async #fetch(
    image: string,
    reference: Reference,
    platform: string | null,
    run: Pick<Run, "log" | "signal">,
  ): Promise<BaseImage> {
    try {
      run.log.line(`Pulling base ${image}.`);
      const digest = await this.#pulls.join(`${image} ${platform}`, run.signal, (signal) =>
        this.#pull(reference, platform, signal),
      );
      return found(image, digest ?? digestOf(await this.#inspect(image), reference) ?? "", run);
    } catch (error) {
      if (!(error instanceof PullFailed)) throw error;
      const standing = await this.#inspect(image);
      if (standing === null) throw explainPull(image, error.message, error.withLogin);
      run.log.line(`Base ${image} could not be pulled (${error.message}): using the one that the engine has.`);
      return found(image, digestOf(standing, reference) ?? standing.Id, run);
    }
  }

  /** An engine takes the only image of a name, whatever platform it is for. It may hold only data. */
  async #reportForeign(image: string, platform: string, { log }: Pick<Run, "log">): Promise<void> {
    const standing = await this.#inspect(image);
    // In containerd's store a name can have images for several platforms, and any of them is shown.
    if (standing === null || !ONE_PLATFORM.has(standing.GraphDriver.Name)) return;
    if (isFor({ os: standing.Os, architecture: standing.Architecture }, platform)) return;
    const own = `${standing.Os}/${standing.Architecture}`;
    log.line(`Base ${image} is for ${own}, not for ${platform}: its programs do not run there.`);
  }

  async #pull(reference: Reference, platform: string | null, signal: AbortSignal): Promise<string | null> {
    const login = this.#registryAuth(reference.host);
    const auth = login ? { ...login, serveraddress: reference.host } : undefined;
    let digest: string | null = null;
    try {
      const answer = await this.#docker.createImage(auth, {
        fromImage: reference.name,
        tag: reference.digest ?? reference.tag,
        ...(platform === null ? {} : { platform }),
        abortSignal: signal,
      });
      for await (const { status, error } of readMessages(answer)) {
        digest = /^Digest: (sha256:[0-9a-f]{64})$/.exec(status ?? "")?.[1] ?? digest;
        if (error !== undefined) throw new PullFailed(error, login !== null);
      }
    } catch (error) {
      const answer = engineAnswer(error);
      throw answer === null ? explainEngineError(error) : new PullFailed(answer, login !== null);
    }
    return digest;
  }

  async #inspect(image: string): Promise<Dockerode.ImageInspectInfo | null> {
    try {
      return await this.#docker.getImage(image).inspect();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return null;
      const answer = engineAnswer(error);
      if (answer !== null && /invalid reference format/.test(answer)) throw explainPull(image, answer, false);
      throw explainEngineError(error);
    }
  }
}

/** The engine's message about a failed pull. */
class PullFailed extends Error {
  readonly withLogin: boolean;
  constructor(message: string, withLogin: boolean) {
    super(message.trim());
    this.withLogin = withLogin;
  }
}

function found(reference: string, digest: string, run: Pick<Run, "log">): BaseImage {
  run.log.line(`Base ${reference} is ${digest}.`);
  return { reference, digest };
}

/**
 * Messages by which a registry refuses: the error codes of the OCI distribution specification, as engines write them.
 * "unknown" and "not found" alone do not count: an engine also says them about its own broken store.
 */
const SAYS_NO = new RegExp(
  [
    // Anonymous users also get this for a name that does not exist.
    "pull access denied|requested access to the resource is denied|^(?:error response from daemon: )?(?:denied|unauthorized)\\b",
    "unauthorized: |authentication required|no basic auth credentials|authorization failed|401 Unauthorized|403 Forbidden",
    "manifest unknown|name unknown|repository name not known|manifest for .* not found|repository \\S+ not found",
    "no matching manifest|no match for platform|invalid reference|/\\S+:\\S+: not found$|reading manifest",
  ].join("|"),
  "i",
);

/**
 * Explains why a base image could not be pulled.
 * @param withLogin a login for its host is configured
 */
export function explainPull(image: string, message: string, withLogin: boolean): UserError | TransientError {
  const { host } = parseReference(image);
  if (isUnreachable(message) || !SAYS_NO.test(message)) {
    return new TransientError(
      "base-unreachable",
      `The base image ${image} could not be pulled from ${host}, and the engine does not have it: ${message}`,
    );
  }
  const remedy = withLogin
    ? `Check the name, and that the login configured for ${host} may read it.`
    : `Check the name; if it is private, configure a login for ${host} under registries.`;
  return new UserError("base-missing", `The base image ${image} cannot be pulled from ${host}: ${message}. ${remedy}`);
}

function digestOf(image: Dockerode.ImageInspectInfo | null, { name }: Reference): string | null {
  const entry = image?.RepoDigests.find((each) => parseReference(each).name === name);
  return entry ? parseReference(entry).digest : null;
}
