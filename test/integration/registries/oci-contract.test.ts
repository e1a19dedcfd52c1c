import { buffer } from "node:stream/consumers";
import type { StampedContent } from "../../../src/registries/registry.ts";
import type { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import type { FilesByName } from "../../support/fixtures/packages.ts";
import { startRegistry } from "../../support/registries/docker-registry.ts";
import { itKeepsContent, type Place } from "./contract.ts";
import { skopeo } from "./skopeo.ts";

/** An image of two layers for each version and salt. */
function images() {
  const made = new Map<string, Promise<{ content: StampedContent; blobs: FilesByName }>>();
  const make = async (store: Store) => {
    const content: StampedContent = { ...(await freezeImage(store)), kind: "image", metadata: {} };
    const { blobs } = await store.contentOf(content.digest);
    const read = async (digest: string) => [digest.replace("sha256:", ""), await buffer(store.open(digest))] as const;
    return { content, blobs: Object.fromEntries(await Promise.all(blobs.map(({ digest }) => read(digest)))) };
  };
  /** Digests of blobs in hex, by the image's digest. */
  const blobs = new Map<string, string[]>();
  return {
    blobs,
    /** @param store where it is frozen when it is first asked for */
    async of(version: string, salt: string, store?: Store) {
      const key = `${version} ${salt}`;
      if (store !== undefined && !made.has(key)) made.set(key, make(store));
      const image = await made.get(key);
      if (image === undefined) throw new Error(`image ${key} was not frozen`);
      blobs.set(image.content.digest, Object.keys(image.blobs));
      return image;
    },
  };
}

itKeepsContent("an OCI registry (Distribution, Basic)", async (): Promise<Place> => {
  const server = await startRegistry({ auth: "htpasswd" });
  const { username, password } = server;
  const made = images();
  return {
    kind: "image",
    origin: server.url,
    config: (url, secret = password) => ({ type: "oci", url, username, password: secret }),
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
    secrets: [password],
    name: (version) => ({ repository: "acme/contract", tag: version }),
    files: async (version, salt) => (await made.of(version, salt)).blobs,
    image: {
      freeze: async (store, version, salt) => (await made.of(version, salt, store)).content,
      async stored(store, { digest }) {
        const { manifests, blobs } = await store.contentOf(digest);
        return [...manifests, ...blobs].map((each) => each.digest);
      },
      blobs: ({ digest }) => made.blobs.get(digest) ?? [],
      last: "manifests",
      unpack: (tar) =>
        Object.fromEntries(
          Object.entries(tar).flatMap(([path, bytes]) => {
            const hex = path.replace("blobs/sha256/", "");
            return [...made.blobs.values()].flat().includes(hex) ? [[hex, bytes] as const] : [];
          }),
        ),
    },
    sends: ({ method, url }, part) => method === "PUT" && url.includes(part === "manifests" ? "/manifests/" : part),
    readBack: ({ repository, digest }) => skopeo.blobs(server, `${repository}@${digest}`),
    holds: () => skopeo.repositories(server),
    stop: () => server.stop(),
  };
});
