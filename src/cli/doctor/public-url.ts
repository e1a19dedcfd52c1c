import { TLSSocket } from "node:tls";
import { once } from "../../async/once.ts";
import type { ServerConfig } from "../../config/server.ts";
import { isLoopback, webhookUrl } from "../../delivery/webhook-address.ts";
import type { Host } from "../../hosts/host.ts";
import { bodyOf, readBytes } from "../../http/body.ts";
import { type HttpRequest, type HttpResponse, openHttpClient, type Send } from "../../http/client.ts";
import { reasonWithoutAnswer } from "../../http/no-answer.ts";
import { isRedirect, readLocation } from "../../http/redirects.ts";
import { remoteText } from "../../http/remote-text.ts";
import { isOutOfReach } from "../webhook-health.ts";
import { type Check, fail, ok, type Result, warn } from "./check.ts";

/** What stands at `publicUrl`. `leadsHere`: this deliverd answers there. */
export interface PublicUrlState {
  leadsHere: boolean;
  results: Result[];
}

/** Asks at most once. */
export type PublicUrlProbe = () => Promise<PublicUrlState>;

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** Let's Encrypt renews 30 days before the end. */
const CERTIFICATE_WARNING_DAYS = 14;

export function createPublicUrlProbe(config: ServerConfig, hosts: ReadonlyMap<string, Host>): PublicUrlProbe {
  return once(() => probe(config, hosts));
}

/** Whether `publicUrl` leads here, as far as that shows from this machine. */
export function publicUrlChecks(config: ServerConfig, hosts: ReadonlyMap<string, Host>, ask: PublicUrlProbe): Check[] {
  const local = [...hosts.keys()].filter((key) => isOutOfReach(config, key));
  return [
    {
      group: "Reached by the hosts",
      part: "publicUrl",
      run: async () => {
        const { results } = await ask();
        if (local.length === 0) return results;
        const text = `only this machine can reach ${config.publicUrl}: no webhook of hosts.${local.join(", hosts.")} comes, and links on commits lead nowhere`;
        return [...results.filter(({ state }) => state === "fail"), warn(text, "Set publicUrl (DELIVERD_PUBLIC_URL).")];
      },
      remedy: "Check the name, the proxy and the certificate of publicUrl.",
    },
  ];
}

async function probe(config: ServerConfig, hosts: ReadonlyMap<string, Host>): Promise<PublicUrlState> {
  const { publicUrl, port } = config;
  const send = openHttpClient({ connectTimeout: TIMEOUT_MS, idleTimeout: TIMEOUT_MS });
  const health = await askHealth(send, publicUrl);
  if (health.kind !== "deliverd") {
    const runsHere = (await askHealth(send, `http://127.0.0.1:${port}`)).kind === "deliverd";
    if (health.kind === "wrong" || runsHere) return { leadsHere: false, results: [fail(health.text, REMEDY)] };
    const text = `${health.text}; no deliverd listens on port ${port} of this machine`;
    return { leadsHere: false, results: [warn(text, START)] };
  }
  const stranger = await askIdentity(send, publicUrl, hosts);
  if (stranger !== null) return { leadsHere: false, results: [fail(stranger, REMEDY)] };
  return { leadsHere: true, results: await certificateResults(send, publicUrl) };
}

const REMEDY = "Check publicUrl, its DNS entry, and what stands in front of deliverd: a proxy, a port, a certificate.";
const START =
  "Start deliverd, and run doctor again. If it runs on another machine, check publicUrl and what stands in front of it.";

/** `silent`: as if deliverd did not run behind it. `wrong`: it cannot lead to deliverd. */
type Health = { kind: "deliverd" } | { kind: "silent" | "wrong"; text: string };

async function askHealth(send: Send, base: string): Promise<Health> {
  const url = `${base}/healthz`;
  try {
    const response = await call(send, { method: "GET", url: new URL(url), headers: {} });
    const text = (await readBytes(response, MAX_ANSWER_BYTES)).toString();
    const { status, headers } = response;
    if (isRedirect(status)) {
      const target = readLocation(headers.location, new URL(url));
      const to = target.kind === "safe" ? target.url.origin : target.shown;
      return { kind: "wrong", text: `${url} redirects to ${to}, and hosts follow no redirect` };
    }
    if (status >= 500) return { kind: "silent", text: `${url} answers ${status}` };
    const isOurs = status === 200 && /"status"\s*:\s*"ok"/.test(text);
    return isOurs
      ? { kind: "deliverd" }
      : { kind: "wrong", text: `${url} answers ${status}, but not as deliverd does` };
  } catch (error) {
    return { kind: isNameOrCertificate(error) ? "wrong" : "silent", text: `${url} ${failureText(error)}` };
  }
}

/** Sends a signed webhook that says nothing. Null: whoever answers has the same secret, or no host can tell. */
async function askIdentity(send: Send, publicUrl: string, hosts: ReadonlyMap<string, Host>): Promise<string | null> {
  const [key, host] = [...hosts].find(([, { webhooks }]) => webhooks !== undefined) ?? [];
  if (key === undefined || host?.webhooks === undefined) return null;
  const url = webhookUrl(publicUrl, key);
  const { headers, body } = host.webhooks.ping();
  try {
    const response = await call(send, { method: "POST", url: new URL(url), headers, body: bodyOf(body) });
    await readBytes(response, MAX_ANSWER_BYTES);
    const { status } = response;
    if (status === 202) return null;
    if (status === 401) return `another deliverd answers at ${publicUrl}: it has another secret for hosts.${key}`;
    return `${url} answers ${status} to a webhook, so no webhook comes through`;
  } catch (error) {
    return `${url} ${failureText(error)}`;
  }
}

async function certificateResults(send: Send, publicUrl: string): Promise<Result[]> {
  const local = isLoopback(publicUrl) ? ", from this machine" : "";
  const answered = `${publicUrl} leads to this deliverd${local}: it answers /healthz and a signed webhook`;
  const response = await call(send, { method: "GET", url: new URL(`${publicUrl}/healthz`), headers: {} });
  const { socket } = response.stream;
  const until = socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : Number.NaN;
  await readBytes(response, MAX_ANSWER_BYTES);
  if (Number.isNaN(until)) return [ok(answered)];
  const days = Math.floor((until - Date.now()) / 86_400_000);
  if (days < CERTIFICATE_WARNING_DAYS) {
    return [
      ok(answered),
      warn(`its TLS certificate ends in ${days} days`, "Renew it: nothing seems to do so by itself."),
    ];
  }
  return [ok(`${answered}; its TLS certificate is valid for ${days} days`)];
}

function call(send: Send, request: Omit<HttpRequest, "signal">): Promise<HttpResponse> {
  return send({ ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
}

const CERTIFICATE_CODE = /CERT|SELF_SIGNED|UNABLE_TO_/;

function isNameOrCertificate(error: unknown): boolean {
  return codeOf(error) === "ENOTFOUND" || CERTIFICATE_CODE.test(codeOf(error));
}

function failureText(error: unknown): string {
  const code = codeOf(error);
  const message = remoteText(reasonWithoutAnswer(error));
  if (code === "ENOTFOUND") return "cannot be asked: its name has no address (ENOTFOUND)";
  if (CERTIFICATE_CODE.test(code)) return `has no valid TLS certificate: ${message} (${code})`;
  return `gives no answer: ${message.includes(code) ? message : `${message} (${code})`}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
