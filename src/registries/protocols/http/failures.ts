import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import { readBytes } from "../../../http/body.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { reasonWithoutAnswer } from "../../../http/no-answer.ts";
import { TooManyRedirects } from "../../../http/redirects.ts";
import { remoteText, secretsOfRequest } from "../../../http/remote-text.ts";
import { readRetryAfter } from "../../../http/retry-after.ts";

/** What an error says about its request. */
export interface Question {
  /** `registry hub (registry-1.docker.io)` */
  registry: string;
  /** Null: the request concerns the registry as a whole. */
  repository: string | null;
  /** `send a blob` */
  to: string;
  /**
   * Whether the request continues an upload: then 404 means that the upload is lost, not that the repository is
   * missing.
   */
  isBegun?: boolean | undefined;
}

/** Larger error responses are not read, only their status counts. */
const ERROR_MAX_BYTES = 64 * 1024;

const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

/** The error for a request without a response. After an abort it is the signal's reason. */
export function withoutAnswer(question: Question, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof Refused || error instanceof TransientError) return error;
  if (error instanceof TooManyRedirects) {
    return new TransientError("registry-unavailable", `${place(question)} redirects without end.`);
  }
  const { code = "" } = error as NodeJS.ErrnoException;
  const reason = remoteText(reasonWithoutAnswer(error));
  if (code === "EPROTO") {
    return new Refused("registry-tls", `${place(question)}: ${reason}. The URL is \`url\` of this registry.`, {
      cause: error,
    });
  }
  if (UNTRUSTED.has(code) || /^(?:ERR_TLS_|ERR_SSL_|CERT_)/.test(code)) {
    return new Refused(
      "registry-tls",
      `${place(question)}: its TLS certificate is not accepted (${code}: ${reason}). ` +
        "Renew it, or trust its authority with `ca` of this registry or NODE_EXTRA_CA_CERTS.",
      { cause: error },
    );
  }
  return new TransientError(
    "registry-unreachable",
    `${place(question)}: no answer to the request to ${question.to} (${reason})`,
    { cause: error },
  );
}

/**
 * Codes that mean: the registry forgot an upload, lost a part of it or removed a blob. A new upload repairs that. The
 * store verifies its content, so a different digest or size comes from the transfer.
 */
const LOST_UPLOAD = /^(?:BLOB_UPLOAD_.*|BLOB_UNKNOWN|MANIFEST_BLOB_UNKNOWN|DIGEST_INVALID|SIZE_INVALID|RANGE_INVALID)$/;

/** The error for a response with an unexpected status. Reads the response. */
export async function unexpectedAnswer(question: Question, response: HttpResponse): Promise<Refused | TransientError> {
  const { request, status, headers } = response;
  // A response that breaks off still has its status.
  const bytes = await readBytes(response, ERROR_MAX_BYTES).catch(() => Buffer.alloc(0));
  const { codes, words } = readErrors(bytes, response.stream.statusMessage ?? "");
  const text = remoteText(words, secretsOfRequest(request));
  // `claimsToStand` reads the registry's own words without the names around them.
  const cause = new Error(text);
  const told = `${place(question)} answered ${status} to the request to ${question.to}${text ? `: ${text}` : ""}`;
  if (status === 429 || status === 408 || status >= 500) {
    const code = status === 429 ? "registry-limited" : "registry-unavailable";
    return new TransientError(code, told, {
      cause,
      retryAfter: readRetryAfter(headers),
    });
  }
  if (status === 401 || status === 403) {
    return new Refused(
      "registry-denied",
      `${told}. Check username and password (or the token) of this registry, ` +
        `and that they may push and pull ${question.repository ?? "there"}.`,
      { cause },
    );
  }
  if (status === 416 || (status === 404 && question.isBegun) || codes.some((code) => LOST_UPLOAD.test(code))) {
    return new TransientError("registry-upload-lost", told, { cause });
  }
  if (status === 404) {
    return new Refused(
      "registry-name-unknown",
      `${told}. Create ${question.repository ?? "it"} there, or correct the name.`,
      { cause },
    );
  }
  return new Refused("registry-refused", told, { cause });
}

/** Whether a body is an HTML or XML page. The content type is no evidence: some registries call JSON text/html. */
export function isPage(bytes: Buffer): boolean {
  return /^\ufeff?\s*</.test(bytes.toString("utf8", 0, 100));
}

/**
 * Checks that a body is not empty and no page of something in front of the registry (sign-in, maintenance, proxy): then
 * it is unknown what the registry would say.
 * @throws TransientError `registry-unavailable`
 */
export function requireData(bytes: Buffer, question: Question, isForeign = isPage): void {
  const isNothing = bytes.length < 100 && bytes.toString("utf8").trim() === "";
  if (!isNothing && !isForeign(bytes)) return;
  throw new TransientError(
    "registry-unavailable",
    `${place(question)} answered the request to ${question.to} with ${isNothing ? "nothing" : "a web page"}: ` +
      "a proxy or a maintenance page may answer instead of it.",
  );
}

/** `isPage` for data that are XML themselves. */
export function isHtml(bytes: Buffer): boolean {
  return /^\ufeff?\s*<(?:!doctype\s+html|html)\b/i.test(bytes.toString("utf8", 0, 200));
}

/** Names the registry, and the repository if there is one. */
export function place({ registry, repository }: Pick<Question, "registry" | "repository">): string {
  return repository === null ? registry : `${registry}, repository ${repository}`;
}

const errorsOfOci = z.object({
  errors: z.array(z.object({ code: z.unknown(), status: z.unknown(), message: z.unknown() }).partial()).min(1),
});
const errorOfNpm = z.object({ error: z.string().nullish().catch(null), message: z.string().nullish().catch(null) });

/**
 * Reads the error codes and words of a registry: JSON of the OCI distribution specification 1.1 ("Error Codes") and of
 * Artifactory, JSON of npm, the reason phrase of Python indexes, or any text of a proxy.
 */
function readErrors(bytes: Buffer, reason: string): { codes: string[]; words: string } {
  const text = bytes.toString("utf8");
  const json = parsed(text);
  const oci = errorsOfOci.safeParse(json);
  if (oci.success) {
    const said = oci.data.errors.map(({ code, status, message }) => `${code ?? status ?? ""} ${message ?? ""}`);
    return { codes: oci.data.errors.map(({ code }) => String(code)), words: said.join("; ") };
  }
  const npm = errorOfNpm.safeParse(json);
  const words = npm.success ? npm.data.error || npm.data.message : "";
  return { codes: [], words: words || (/^\s*(?:<|$)/.test(text) ? reason : text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
