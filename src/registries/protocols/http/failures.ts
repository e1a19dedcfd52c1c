import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import { remoteText, secretsOfRequest } from "../../../http/remote-text.ts";
import { clockOf, readRetryAfter } from "../../../http/retry-after.ts";
import { type Answer, readBytes } from "../../../http/transport.ts";

/** Whom we were asking for what, for the person who reads the error. */
export interface Question {
  /** As in `registry hub (registry-1.docker.io)`. */
  registry: string;
  /** Null: the registry as a whole. */
  repository: string | null;
  /** As in `send a blob`. */
  to: string;
  /** It goes on with what was begun in the repository: a 404 is about that, and not about the repository. */
  isBegun?: boolean | undefined;
}

const untrusted = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "EPROTO",
]);

/** What a request that got no answer comes to. An abort keeps its own reason. */
export function withoutAnswer(question: Question, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof Refused || error instanceof TransientError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (untrusted.has(code) || /^(?:ERR_TLS_|ERR_SSL_|CERT_)/.test(code)) {
    return new Refused(
      "registry-tls",
      `${place(question)}: its TLS certificate is not accepted (${code}: ${remoteText(message)}). Renew it, or trust its authority with NODE_EXTRA_CA_CERTS, or write the url with the right scheme.`,
      { cause: error },
    );
  }
  return new TransientError(
    "registry-unreachable",
    `${place(question)}: no answer to the request to ${question.to} (${remoteText(message)})`,
    { cause: error },
  );
}

/**
 * The registry forgot an upload, lost a part of it or removed a blob: a new upload repairs that. Our bytes are those of their
 * digest, so a digest or size that differs was changed on the way.
 */
const OF_AN_UPLOAD =
  /^(?:BLOB_UPLOAD_.*|BLOB_UNKNOWN|MANIFEST_BLOB_UNKNOWN|DIGEST_INVALID|SIZE_INVALID|RANGE_INVALID)$/;

/** What an answer comes to that is not the one hoped for. */
export async function unexpectedAnswer(question: Question, answer: Answer): Promise<Refused | TransientError> {
  const { asked, status, headers } = answer;
  // An answer that breaks off still has its status, and that tells most.
  const bytes = await readBytes(answer, 64 * 1024).catch(() => Buffer.alloc(0));
  const { codes, words } = readErrors(bytes, answer.stream.statusMessage ?? "");
  const said = { codes, text: remoteText(words, secretsOfRequest(asked.url, asked.headers)) };
  // What the other side said stands by itself too, without the names around it.
  const cause = new Error(said.text);
  const told = `${place(question)} answered ${status} to the request to ${question.to}${said.text ? `: ${said.text}` : ""}`;
  if (status === 429 || status === 408 || status >= 500) {
    const code = status === 429 ? "registry-limited" : "registry-unavailable";
    return new TransientError(code, told, {
      cause,
      retryAfter: readRetryAfter(headers["retry-after"], clockOf(headers.date)),
    });
  }
  if (status === 401 || status === 403) {
    return new Refused(
      "registry-denied",
      `${told}. Check username and password (or the token) of this registry, and that they may push and pull ${question.repository ?? "there"}.`,
      { cause },
    );
  }
  if (status === 416 || (status === 404 && question.isBegun) || said.codes.some((code) => OF_AN_UPLOAD.test(code))) {
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

/** Whether an answer is a page for a person, where data were asked for. Its type is no evidence: some call JSON text/html. */
export function isPage(bytes: Buffer): boolean {
  return /^\ufeff?\s*</.test(bytes.toString("utf8", 0, 100));
}

/**
 * Data that were asked for, and are there. A sign-in page, a maintenance, a proxy, or nothing at all: what a registry would
 * say is not known then. @throws TransientError
 */
export function requireData(bytes: Buffer, question: Question, isInstead = isPage): void {
  const isNothing = bytes.length < 100 && bytes.toString("utf8").trim() === "";
  if (!isNothing && !isInstead(bytes)) return;
  throw new TransientError(
    "registry-unavailable",
    `${place(question)} answered the request to ${question.to} with ${isNothing ? "nothing" : "a web page"}: something in front of it answers in its place.`,
  );
}

/** The same where the data may be XML or HTML themselves. */
export function isHtml(bytes: Buffer): boolean {
  return /^\ufeff?\s*<(?:!doctype\s+html|html)\b/i.test(bytes.toString("utf8", 0, 200));
}

export function place({ registry, repository }: Pick<Question, "registry" | "repository">): string {
  return repository === null ? registry : `${registry}, repository ${repository}`;
}

const errorsOfOci = z.object({
  errors: z.array(z.object({ code: z.unknown(), status: z.unknown(), message: z.unknown() }).partial()).min(1),
});
const errorOfNpm = z.object({ error: z.string().nullish().catch(null), message: z.string().nullish().catch(null) });

/**
 * OCI distribution specification 1.1, "Error Codes", and Artifactory's like; npm's `{error}`; an index of Python's tells in
 * the reason phrase. A proxy in between may answer anything else.
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
