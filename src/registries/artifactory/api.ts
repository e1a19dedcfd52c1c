import * as z from "zod";
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import { Refused } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";
import { bodyOf } from "../../http/body.ts";
import { HttpClient, type HttpEndpoint } from "../protocols/http/client.ts";
import { requireData } from "../protocols/http/failures.ts";
import { below } from "../protocols/http/paths.ts";
import { propertiesQuery } from "./properties.ts";

const ANSWER_MAX_BYTES = 32 * 1024 * 1024;
const JSON_TYPE = "application/json";

/** A file as Artifactory keeps it. */
export interface StoredFile {
  /** `<repository>/<path>`. */
  path: string;
  /** Each undefined where it does not say. */
  sha1: string | undefined;
  md5: string | undefined;
  sha256: string | undefined;
}

/** What is empty, or of another type, says nothing. */
const said = z.string().min(1).optional().catch(undefined);
const fileInfo = z.object({
  checksums: z.object({ sha1: said, md5: said, sha256: said }).nullish(),
  children: z.unknown().optional(),
});
const fileList = z.object({
  files: z.array(z.object({ uri: z.string(), sha1: said, sha2: said, folder: z.unknown().optional() })).nullish(),
});
const itemProperties = z.object({ properties: z.record(z.string(), z.array(z.string())).nullish() });
const found = z.object({ results: z.array(z.object({ uri: z.string() })).nullish() });

/** Artifactory's own REST API: https://jfrog.com/help/r/jfrog-rest-apis. Every method throws as HttpClient does. */
export class ArtifactoryApi {
  readonly client: HttpClient;
  /** Holds a build, by its URL, name and number, while it is read, changed and written back. */
  readonly builds: KeyedMutex;

  /**
   * @param endpoint its `url` is that of Artifactory itself, as in `https://acme.jfrog.io/artifactory`
   * @param builds shared by all clients of this process
   */
  constructor(endpoint: HttpEndpoint, builds = new KeyedMutex()) {
    this.client = new HttpClient(endpoint);
    this.builds = builds;
  }

  get label(): string {
    return this.client.label;
  }

  /**
   * Login and right to deploy, by a deployment of content that nobody has: where it is allowed, the answer is that its
   * bytes are wanted, and nothing was stored. @throws Refused `registry-name-unknown`, `registry-denied`
   */
  async tryDeploy(repository: string, signal: AbortSignal): Promise<void> {
    const ask = { repository, signal } as const;
    await this.client.status({
      ...ask,
      method: "GET",
      url: below(this.client.url, "api/storage", repository),
      headers: { Accept: JSON_TYPE },
      to: "read the repository",
      expect: [200],
    });
    const nobodys = { "X-Checksum-Sha1": "0".repeat(40), "X-Checksum-Sha256": "0".repeat(64) };
    await this.client.status({
      ...ask,
      method: "PUT",
      url: below(this.client.url, repository, "deliverd-check"),
      headers: { "X-Checksum-Deploy": "true", ...nobodys },
      to: "deploy a file",
      expect: [404],
    });
  }

  /** "File Info"; null: there is no such file. @param path `<repository>/<path>` */
  async file(path: string, signal: AbortSignal): Promise<StoredFile | null> {
    const url = below(this.client.url, "api/storage", path);
    const answer = await this.#json(url, `read about ${path}`, fileInfo, signal, [200, 404]);
    // What has children is a folder.
    if (answer === null || answer.children !== undefined) return null;
    const { sha1, md5, sha256 } = answer.checksums ?? {};
    return { path, sha1, md5, sha256 };
  }

  /** "File List": what lies right in a folder; empty: there is no such folder. @param path `<repository>/<path>` */
  async folder(path: string, signal: AbortSignal): Promise<StoredFile[]> {
    const url = below(this.client.url, "api/storage", path);
    url.search = "list&deep=0&listFolders=0";
    const list = await this.#json(url, `list ${path}`, fileList, signal, [200, 404]);
    return (list?.files ?? []).flatMap(({ uri, sha1, sha2: sha256, folder }) =>
      folder === true ? [] : [{ path: `${path}${uri}`, sha1, sha256, md5: undefined }],
    );
  }

  /** "Checksum Search": where in a repository these bytes lie, whatever its layout. */
  async holders(repository: string, digest: Digest, signal: AbortSignal): Promise<StoredFile[]> {
    const url = below(this.client.url, "api/search/checksum");
    url.search = new URLSearchParams({ sha256: digest.slice("sha256:".length), repos: repository }).toString();
    const answer = await this.#json(url, "search by checksum", found, signal, [200]);
    const paths = (answer?.results ?? []).flatMap(({ uri }) => {
      // Behind a proxy it may call itself by another address: what counts is what comes after it.
      const [, path] = /\/api\/storage\/(.+)$/.exec(new URL(uri, this.client.url).pathname) ?? [];
      return path === undefined ? [] : [decodeURIComponent(path)];
    });
    const files = await Promise.all(paths.map((path) => this.file(path, signal)));
    return files.filter((file) => file !== null);
  }

  /** "Item Properties". @param path `<repository>/<path>` */
  async properties(path: string, signal: AbortSignal): Promise<Record<string, string[]>> {
    const url = below(this.client.url, "api/storage", path);
    url.search = "properties";
    const answer = await this.#json(url, `read the properties of ${path}`, itemProperties, signal, [200, 404]);
    return answer?.properties ?? {};
  }

  /** "Set Item Properties"; of a folder, for all that is in it. @param path `<repository>/<path>` */
  async setProperties(path: string, properties: Record<string, string>, signal: AbortSignal): Promise<void> {
    const url = below(this.client.url, "api/storage", path);
    url.search = `properties=${propertiesQuery(properties)}&recursive=1`;
    const ask = { method: "PUT", url, headers: {}, repository: path, to: "set its properties", signal } as const;
    await this.client.status({ ...ask, expect: [200, 204] });
  }

  /** "Build Info": as it stands there; null: there is none. */
  async build(name: string, number: string, signal: AbortSignal): Promise<unknown> {
    const url = below(this.client.url, "api/build");
    url.pathname += `/${encodeURIComponent(name)}/${encodeURIComponent(number)}`;
    const answer = await this.#json(url, `read build ${name} ${number}`, z.looseObject({}), signal, [200, 404]);
    return answer?.buildInfo ?? null;
  }

  /** "Build Upload". */
  async putBuild(build: object, signal: AbortSignal): Promise<void> {
    await this.client.status({
      method: "PUT",
      url: below(this.client.url, "api/build"),
      headers: { "Content-Type": JSON_TYPE },
      body: bodyOf(JSON.stringify(build)),
      repository: null,
      to: "publish build-info",
      expect: [200, 201, 204],
      signal,
    });
  }

  async #json<T>(url: URL, to: string, shape: z.ZodType<T>, signal: AbortSignal, expect: number[]): Promise<T | null> {
    const ask = { method: "GET", url, headers: { Accept: JSON_TYPE }, repository: null, to, expect, signal } as const;
    const { status, bytes } = await this.client.read(ask, ANSWER_MAX_BYTES);
    if (status === 404) return null;
    requireData(bytes, { registry: this.label, repository: null, to });
    try {
      return shape.parse(JSON.parse(bytes.toString("utf8")));
    } catch (error) {
      throw new Refused(
        "registry-refused",
        `${this.label} did not answer the request to ${to} as Artifactory does. ` +
          "Check its url: most end in /artifactory.",
        { cause: error },
      );
    }
  }
}
