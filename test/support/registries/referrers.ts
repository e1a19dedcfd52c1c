import { createHash } from "node:crypto";
import type { Asked, Reply, ScriptedRegistry } from "./scripted-registry.ts";

/** A descriptor, as a list of referrers has it. */
export interface Listed {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/**
 * Gives a scripted registry the API of referrers (OCI distribution specification 1.1): a manifest with a subject is
 * answered with OCI-Subject, and listed.
 */
export function withReferrersApi(server: ScriptedRegistry): void {
  server.quirk = (asked, act) => {
    const [, name = "", subject = ""] = /^\/v2\/(.+)\/referrers\/(sha256:[0-9a-f]{64})$/.exec(asked.path) ?? [];
    if (asked.method === "GET" && subject !== "") return listOf(server, name, subject);
    const reply = act();
    const of = subjectIn(asked);
    return of === null ? reply : { ...reply, headers: { ...reply.headers, "OCI-Subject": of } };
  };
}

function subjectIn({ method, path, body }: Asked): string | null {
  if (method !== "PUT" || !path.includes("/manifests/")) return null;
  return (JSON.parse(body.toString()).subject?.digest as string | undefined) ?? null;
}

function listOf(server: ScriptedRegistry, repository: string, subject: string): Reply {
  const manifests: Listed[] = [];
  for (const [name, { type, bytes }] of server.manifests) {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const manifest = JSON.parse(bytes.toString());
    if (name !== `${repository}:${digest}` || manifest.subject?.digest !== subject) continue;
    const { artifactType, annotations } = manifest;
    manifests.push({ mediaType: type, digest, size: bytes.length, artifactType, annotations });
  }
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return { status: 200, headers: { "Content-Type": mediaType }, body: JSON.stringify(index(manifests)) };
}

export function index(manifests: Listed[]): object {
  return { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
}

/** The list under the tag of a registry without the API; null: there is none. */
export function taggedList(server: ScriptedRegistry, repository: string, subject: string): Listed[] | null {
  const found = server.manifests.get(`${repository}:${subject.replace(":", "-")}`);
  return found === undefined ? null : (JSON.parse(found.bytes.toString()).manifests as Listed[]);
}
