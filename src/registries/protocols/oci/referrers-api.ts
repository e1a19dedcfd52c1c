import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { bodyOf, discard, readBytes } from "../../../http/body.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { readLinks } from "../../../http/links.ts";
import { isDigest } from "../../../store/digest.ts";
import { MAX_MANIFEST_BYTES, OCI_INDEX } from "../../../store/manifest.ts";
import { requireData, withoutAnswer } from "../http/failures.ts";
import { DONE, type OciAsk, type OciHttp, toPull, toPush } from "./http.ts";
import { requireReference, requireRepository } from "./names.ts";

/** One manifest that names another as its subject. Whatever else its descriptor says is kept. */
const referrer = z.looseObject({
  mediaType: z.string(),
  digest: z.string().refine(isDigest),
  size: z.int().nonnegative(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const index = z.looseObject({ schemaVersion: z.literal(2), manifests: z.array(referrer) });

export type Referrer = z.output<typeof referrer>;

/** The index under a tag, with all that others wrote into it. */
export interface TaggedIndex {
  document: z.output<typeof index>;
  /** For a write that must not replace a newer one. Null: the registry gives none. */
  etag: string | null;
}

const MAX_PAGES = 20;

/** A registry without the API answers as it likes, also as if nobody might ask that. */
const NO_API = [200, 400, 401, 403, 404, 405, 501];

/** Referrers of manifests in one registry (OCI distribution specification 1.1, "Listing Referrers"). */
export class ReferrersApi {
  readonly #http: OciHttp;

  constructor(http: OciHttp) {
    this.#http = http;
  }

  /** All referrers of a manifest. Null: the registry has no such API. */
  async list(repository: string, subject: Digest, signal: AbortSignal): Promise<Referrer[] | null> {
    const found: Referrer[] = [];
    let url: string | URL = `/v2/${requireRepository(repository)}/referrers/${subject}`;
    for (let page = 0; page < MAX_PAGES; page++) {
      const ask = { ...toPull(repository, signal), to: "list referrers", headers: { Accept: OCI_INDEX } };
      // Some answer with 200 and a page.
      const response = await this.#http.ask({ ...ask, method: "GET", url, expect: NO_API });
      if (response.status !== 200) {
        discard(response);
        return null;
      }
      const read = index.safeParse(jsonOf(await this.#read(response, ask)));
      if (!read.success) return null;
      found.push(...read.data.manifests);
      const next = readLinks(String(response.headers.link ?? "")).find(({ relations }) => relations.includes("next"));
      if (next === undefined) break;
      url = new URL(next.target, response.request.url);
    }
    return found;
  }

  /**
   * The index under a tag. Null: there is nothing.
   * @throws Refused `proof-tag-taken` if the tag holds something else
   */
  async readIndex(repository: string, tag: string, signal: AbortSignal): Promise<TaggedIndex | null> {
    const ask = { ...toPush(repository, signal), to: `read ${tag}`, headers: { Accept: OCI_INDEX } };
    const url = manifestUrl(repository, tag);
    const response = await this.#http.ask({ ...ask, method: "GET", url, expect: [200, 404] });
    if (response.status === 404) {
      discard(response);
      return null;
    }
    const read = index.safeParse(jsonOf(await this.#read(response, ask)));
    if (read.success) return { document: read.data, etag: response.headers.etag ?? null };
    throw new Refused(
      "proof-tag-taken",
      `${this.#http.label}: ${repository}:${tag} holds something else than a list of referrers, so that proofs cannot ` +
        "be listed there. Remove the tag, or set proof: none for this registry.",
    );
  }

  /** @throws TransientError `proof-index-changed` if another writer was faster */
  async putIndex(repository: string, tag: string, { document, etag }: TaggedIndex, signal: AbortSignal): Promise<void> {
    const condition = etag === null ? {} : { "If-Match": etag };
    const response = await this.#http.ask({
      ...{ ...toPush(repository, signal), method: "PUT", url: manifestUrl(repository, tag), to: `put ${tag}` },
      ...{ isBegun: true, expect: [...DONE, 412], headers: { "Content-Type": OCI_INDEX, ...condition } },
      body: bodyOf(JSON.stringify(document)),
    });
    discard(response);
    if (response.status !== 412) return;
    throw new TransientError("proof-index-changed", `${this.#http.label}: ${repository}:${tag} changed meanwhile`);
  }

  #read(response: HttpResponse, ask: Omit<OciAsk, "method" | "url" | "expect">): Promise<Buffer> {
    return readBytes(response, MAX_MANIFEST_BYTES).then(
      (bytes) => {
        requireData(bytes, this.#http.question(ask), () => false);
        return bytes;
      },
      (error: unknown) => {
        throw withoutAnswer(this.#http.question(ask), error, ask.signal);
      },
    );
  }
}

function manifestUrl(repository: string, reference: string): string {
  return `/v2/${requireRepository(repository)}/manifests/${requireReference(reference)}`;
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}
