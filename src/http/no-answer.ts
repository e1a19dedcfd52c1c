/**
 * Why a call got no answer, for a person. OpenSSL and Node's parser describe their own state, not what is wrong: here
 * that becomes a sentence with what to do. Everything else is said in the words of the system.
 */
export function reasonWithoutAnswer(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's fetch says only "fetch failed", and why in the cause.
  const cause = error.cause instanceof Error ? error.cause : error;
  const { message } = cause;
  // A DOMException has a number.
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (message === "bad port") return BAD_PORT;
  if (NO_TLS.test(code) || NO_TLS.test(message)) return `what listens there does not speak TLS: ${HTTP_REMEDY}`;
  const [, handshake] = /^[^:]*:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(message) ?? [];
  if (handshake !== undefined) return `the TLS handshake failed (${handshake.trim()})`;
  if (code.startsWith("HPE_")) return `what listens there does not speak HTTP (${code}): ${HTTPS_REMEDY}`;
  if (code === "UND_ERR_SOCKET") return "it closed the connection; does it speak https, and not http?";
  // Several addresses were tried: Node then gives an error without a message, and each address has its own.
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return message || code || cause.name;
}

/** https://fetch.spec.whatwg.org/#port-blocking: fetch and browsers ask nobody on the ports of other protocols. */
const BAD_PORT =
  "fetch and browsers refuse this port, because it belongs to another protocol: let the server listen on another one";

/** The words and codes of OpenSSL, GnuTLS and Node for bytes that are no TLS. */
const NO_TLS =
  /wrong version number|packet length too long|http request|unexpected TLS packet|record overflow|ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)/i;

const HTTP_REMEDY = "write the URL for no TLS (http, redis), or give the port that has TLS";
const HTTPS_REMEDY = "is it the port of another protocol, or of https?";
