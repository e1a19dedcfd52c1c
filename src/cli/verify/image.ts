import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isReference } from "../../delivery/dockerfile/reference.ts";
import { isLoopback } from "../../delivery/webhook-address.ts";
import { type ImageAddress, readImageProofs } from "../../registries/image-proofs.ts";
import { EXIT, Failure } from "../exit.ts";
import type { Target } from "./target.ts";

/** An image in a registry: `<host>/<repository>:<tag>`, or `@<digest>`. */
export async function readImage(text: string, signal: AbortSignal): Promise<Target> {
  const plain = text.replace(/^(?:docker|oci):\/\//, "");
  if (!isReference(plain))
    throw new Failure(
      EXIT.notFound,
      `"${text}" is neither a file nor an image, such as registry.example.com/api:1.2.3`,
    );
  const address = addressOf(plain);
  const credentials = await dockerLogin(address.url);
  const { digest, bundles } = await readImageProofs(address, credentials, signal);
  const label = `${address.url.host}/${address.repository}@${digest}`;
  return {
    label,
    digests: [digest],
    bundles,
    bytes: "the manifest was hashed; who pulls it by digest gets its layers",
  };
}

function addressOf(text: string): ImageAddress {
  const [path = "", digest] = text.split("@");
  const colon = path.lastIndexOf(":");
  const hasTag = colon > path.lastIndexOf("/");
  const named = hasTag ? path.slice(0, colon) : path;
  const reference = digest ?? (hasTag ? path.slice(colon + 1) : "latest");
  const [first = "", ...rest] = named.split("/");
  // As Docker reads a name: only these make the first part a host.
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  if (hasHost && first !== "docker.io" && first !== "index.docker.io") {
    const origin = `http${isLoopback(`http://${first}`) ? "" : "s"}://${first}`;
    return { url: new URL(origin), repository: rest.join("/"), reference };
  }
  const onHub = hasHost ? rest : [first, ...rest];
  const repository = onHub.length === 1 ? `library/${onHub[0]}` : onHub.join("/");
  return { url: new URL("https://registry-1.docker.io"), repository, reference };
}

/** What `docker login` has saved, where it is in the file itself. */
async function dockerLogin({ host }: URL): Promise<{ username: string; password: string } | null> {
  const folder = process.env.DOCKER_CONFIG || join(homedir(), ".docker");
  const text = await readFile(join(folder, "config.json"), "utf8").catch(() => "{}");
  const key = host === "registry-1.docker.io" ? "https://index.docker.io/v1/" : host;
  const { auths = {} } = JSON.parse(text) as { auths?: Record<string, { auth?: string }> };
  const [username, ...password] = Buffer.from(auths[key]?.auth ?? "", "base64")
    .toString()
    .split(":");
  return username && password.length > 0 ? { username, password: password.join(":") } : null;
}
