import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import type { ImageRegistry } from "../../../src/registries/protocols/oci/image-registry.ts";
import { freezeImage, freezeIndex } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import {
  type Asked,
  challenge,
  error,
  type Reply,
  type ScriptedRegistry,
  tokenFor,
} from "../../support/registries/scripted-registry.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };

type Quirk = (asked: Asked, act: () => Reply, registry: ScriptedRegistry) => Reply;

/** Answers an honest reply with other headers. */
const withHeaders = (reply: Reply, headers: Record<string, string>): Reply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});
const without = ({ headers = {}, ...reply }: Reply, name: string): Reply => ({
  ...reply,
  headers: Object.fromEntries(Object.entries(headers).filter(([key]) => key.toLowerCase() !== name)),
});
const isToken = ({ path }: Asked) => path === "/token";
const begins = ({ method, path }: Asked) => method === "POST" && path.endsWith("/blobs/uploads/");
const ends = ({ method, path }: Asked) => method === "PUT" && path.includes("/blobs/uploads/");
const asksForBlob = ({ method, path }: Asked) => method === "HEAD" && /\/blobs\/sha256:/.test(path);
const asksForName = ({ method, path }: Asked) => method === "HEAD" && path.endsWith("/manifests/1.0.0");
const puts = ({ method, path }: Asked) => method === "PUT" && path.includes("/manifests/");
/** As some caches do with whatever they hold. */
const packed = (reply: Reply): Reply => ({
  ...withHeaders(reply, { "Content-Encoding": "gzip" }),
  body: gzipSync(reply.body ?? ""),
});
const page = (status: number): Reply => ({
  status,
  headers: { "Content-Type": "text/html" },
  body: "<!DOCTYPE html><html><title>Down for maintenance</title></html>",
});

/** The token answer, with fields of it changed. */
const tokenAnswer =
  (change: (token: string) => unknown): Quirk =>
  (asked, act) => {
    const honest = act();
    if (!isToken(asked) || honest.status !== 200) return honest;
    return { status: 200, body: JSON.stringify(change(JSON.parse(String(honest.body)).token)) };
  };
const challenged =
  (header: (url: string) => string | string[], path = /^\/v2\//): Quirk =>
  (asked, act, { url }) => {
    const honest = act();
    const isAsked = honest.status === 401 && path.test(asked.path);
    return isAsked ? { ...honest, headers: { "WWW-Authenticate": header(url) } } : honest;
  };
const located =
  (location: (id: string, name: string, url: string) => string): Quirk =>
  (asked, act, { url }) => {
    const honest = act();
    const [, name = "", id = ""] = /^\/v2\/(.+)\/blobs\/uploads\/([^?]+)/.exec(String(honest.headers?.Location)) ?? [];
    return begins(asked) && honest.status === 202 ? withHeaders(honest, { Location: location(id, name, url) }) : honest;
  };
const when =
  (is: (asked: Asked) => boolean, reply: (act: () => Reply, asked: Asked, url: string) => Reply): Quirk =>
  (asked, act, { url }) =>
    is(asked) ? reply(act, asked, url) : act();

/** What a registry may leave out, leave empty or do in its own way: a first publication goes through all the same. */
const options: Record<string, Record<string, Quirk>> = {
  "the answer with a token": {
    "has an empty access_token beside the token, as Harbor's": tokenAnswer((token) => ({ token, access_token: "" })),
    "has access_token: null": tokenAnswer((token) => ({ token, access_token: null })),
    "has the access_token alone, beside an empty token": tokenAnswer((token) => ({ token: "", access_token: token })),
    "has token: 0 beside the access_token": tokenAnswer((token) => ({ token: 0, access_token: token })),
    "says expires_in: 0": tokenAnswer((token) => ({ token, expires_in: 0 })),
    "says expires_in: null": tokenAnswer((token) => ({ token, expires_in: null })),
    'says expires_in: "300"': tokenAnswer((token) => ({ token, expires_in: "300" })),
    'says expires_in: ""': tokenAnswer((token) => ({ token, expires_in: "" })),
    "says expires_in: -1": tokenAnswer((token) => ({ token, expires_in: -1 })),
    "says expires_in: 1e300": tokenAnswer((token) => ({ token, expires_in: 1e300 })),
    "says an issued_at that is no time": tokenAnswer((token) => ({ token, issued_at: "0001-01-01T00:00:00Z" })),
    "says issued_at: 0 and refresh_token: null": tokenAnswer((token) => ({ token, issued_at: 0, refresh_token: null })),
    "ends the token with a line end": tokenAnswer((token) => ({ token: `${token}\n` })),
    "comes with 201": when(isToken, (act) => ({ ...act(), status: act().status === 200 ? 201 : act().status })),
    "begins with a byte order mark": when(isToken, (act) => {
      const honest = act();
      return { ...honest, body: `\ufeff${honest.body}` };
    }),
    "is one redirect away": when(isToken, (act, { query }) =>
      query.has("moved")
        ? act()
        : { status: 307, headers: { Location: `/token?moved=1&scope=${query.get("scope") ?? ""}` } },
    ),
    "is packed though nobody asked for that": when(isToken, (act) => packed(act())),
    "comes to a POST alone (405)": when(isToken, (act, { method }) => (method === "GET" ? { status: 405 } : act())),
    "comes to a POST alone (404)": when(isToken, (act, { method }) => (method === "GET" ? error(404, "X") : act())),
  },
  "the challenge": {
    "names no service": challenged((url) => `Bearer realm="${url}/token"`),
    "names an empty service and an empty scope": challenged((url) => `Bearer realm="${url}/token",service="",scope=""`),
    "is in capitals": challenged((url) => `BEARER REALM="${url}/token",SERVICE="crooked"`),
    "has no quotes": challenged((url) => `Bearer realm=${url}/token, service=crooked`),
    "has blanks around its equals signs": challenged((url) => `Bearer realm = "${url}/token" , service = "crooked"`),
    "has a scope with commas in quotes": challenged(
      (url) =>
        `Bearer realm="${url}/token",service="crooked",scope="repository:acme/a:pull,push",error="invalid_token"`,
    ),
    "comes behind one with a token68": challenged((url) => `Negotiate TlRMTVNTUA+/==, Bearer realm="${url}/token"`),
    "comes behind Basic": challenged((url) => `Basic realm="a \\"b\\", c", Bearer realm="${url}/token"`),
    "comes before Basic": challenged((url) => `Bearer realm="${url}/token", Basic realm="crooked"`),
    "comes in a header of its own beside Basic": challenged((url) => [
      'Basic realm="crooked"',
      `Bearer realm="${url}/token"`,
    ]),
    "has an empty element before it": challenged((url) => `, ,Bearer realm="${url}/token"`),
    "comes behind a Bearer without a realm": challenged((url) => `Bearer, Bearer realm="${url}/token"`),
    "has a realm with a query of its own": challenged((url) => `Bearer realm="${url}/token?x=1",service="a b"`),
    "has a realm without a host": challenged(() => 'Bearer realm="/token",service="crooked"'),
  },
  "the place of an upload": {
    "is a path": located((id, name) => `/v2/${name}/blobs/uploads/${id}`),
    "is a URL": located((id, name, url) => `${url}/v2/${name}/blobs/uploads/${id}?_state=x`),
    "is a name and a query beside the request": located((id) => `${id}?_state=x`),
    "is a dot and a name": located((id) => `./${id}?_state=x`),
    "goes up and down again": located((id) => `../uploads/${id}?_state=x`),
    "is a host and a path": located((id, name, url) => `//${new URL(url).host}/v2/${name}/blobs/uploads/${id}`),
    "has an empty query": located((id) => `${id}?`),
    "has a fragment": located((id) => `${id}?_state=x#part`),
    "is not told, beside its id": (asked, act) => {
      const honest = act();
      const [, id = ""] = /uploads\/([^?]+)/.exec(String(honest.headers?.Location)) ?? [];
      if (!begins(asked)) return honest;
      return withHeaders(without(honest, "location"), { "Docker-Upload-UUID": id });
    },
    "is empty, beside its id": (asked, act) => {
      const honest = act();
      const [, id = ""] = /uploads\/([^?]+)/.exec(String(honest.headers?.Location)) ?? [];
      return begins(asked) ? withHeaders(honest, { Location: "", "Docker-Upload-UUID": id }) : honest;
    },
    "comes with a least length of chunks, for those who send any": when(begins, (act) =>
      withHeaders(act(), { "OCI-Chunk-Min-Length": "5242880", Range: "0-0" }),
    ),
  },
  "a look": {
    "for a manifest is not known to the registry (405)": when(asksForName, () => ({ status: 405 })),
    "for a manifest is not known to the registry (501)": when(asksForName, () => ({ status: 501 })),
    "for a manifest tells no digest": (asked, act) =>
      asked.method === "HEAD" ? without(act(), "docker-content-digest") : act(),
    "for a manifest tells an empty digest": (asked, act) =>
      asked.method === "HEAD" ? withHeaders(act(), { "Docker-Content-Digest": "" }) : act(),
    "for a manifest tells a digest in another algorithm": (asked, act) =>
      asked.method === "HEAD" ? withHeaders(act(), { "Docker-Content-Digest": `sha512:${"0".repeat(128)}` }) : act(),
    "for a manifest tells a digest in capitals": (_asked, act) => {
      const honest = act();
      const { "Docker-Content-Digest": digest } = honest.headers ?? {};
      return digest === undefined
        ? honest
        : withHeaders(honest, { "Docker-Content-Digest": String(digest).toUpperCase() });
    },
    "for a manifest is packed though nobody asked for that": (asked, act) => {
      const honest = act();
      return asked.method === "GET" && asked.path.includes("/manifests/") && honest.status === 200
        ? packed(honest)
        : honest;
    },
    "for a manifest is not known to the registry, and an unknown repository is 403": (asked, act, { manifests }) => {
      if (asksForName(asked)) return { status: 405 };
      const honest = act();
      return asked.method === "GET" && manifests.size === 0 && honest.status === 404 ? error(403, "DENIED") : honest;
    },
    "for a manifest tells no type": (asked, act) => {
      const honest = act();
      return asked.path.includes("/manifests/") ? without(honest, "content-type") : honest;
    },
    "for a blob is refused (403)": when(asksForBlob, () => error(403, "DENIED")),
    "for a blob is refused (401)": when(asksForBlob, (_act, _asked, url) => challenge(url)),
    "for a blob is not known to the registry (405)": when(asksForBlob, () => ({ status: 405 })),
    "for a blob is sent on to a storage that knows no HEAD": (asked, act, { url }) => {
      if (asked.path.startsWith("/storage")) return error(asked.method === "HEAD" ? 403 : 200, "SIGNATURE");
      const honest = act();
      const isThere = asksForBlob(asked) && honest.status === 200;
      return isThere ? { status: 307, headers: { Location: `${url}/storage?sig=x` } } : honest;
    },
  },
  "an unknown repository": {
    "is 401 to those who may only read it, as Quay's": (asked, act) => {
      const isKnown = asked.scopes.some((scope) => scope.includes("push"));
      return asked.headers.authorization && asksForName(asked) && !isKnown ? error(401, "UNAUTHORIZED") : act();
    },
    "is 403 to a look, as Artifactory's": (asked, act, { manifests }) =>
      asksForName(asked) && manifests.size === 0 ? error(403, "DENIED") : act(),
    "is 401 to a look, whoever asks": (asked, act, { manifests, url }) =>
      asksForName(asked) && manifests.size === 0 ? challenge(url) : act(),
  },
  "what was sent": {
    "is answered with 200": when(
      (asked) => ends(asked) || puts(asked),
      (act) => ({ ...act(), status: act().status < 300 ? 200 : act().status }),
    ),
    "is answered with 202": (asked, act) => {
      const honest = act();
      return (ends(asked) || puts(asked)) && honest.status === 201 ? { ...honest, status: 202 } : honest;
    },
    "is answered with 204": (asked, act) => {
      const honest = act();
      return (ends(asked) || puts(asked)) && honest.status === 201 ? { ...honest, status: 204 } : honest;
    },
    "is answered without a digest": (asked, act) =>
      asked.method === "PUT" ? without(act(), "docker-content-digest") : act(),
    "is answered with a page": (asked, act) => {
      const honest = act();
      return ends(asked) && honest.status === 201 ? page(201) : honest;
    },
  },
};

describe("an OCI registry that answers in an unusual way:", () => {
  const oci = useScriptedOci({ auth: true });
  let registry: ImageRegistry;
  beforeEach(async () => {
    registry = oci.open();
  });

  for (const [what, quirks] of Object.entries(options)) {
    describe(what, () => {
      for (const [title, quirk] of Object.entries(quirks)) {
        it(`${title}: an image is published`, async () => {
          oci.server.quirk = (asked, act) => quirk(asked, once(act), oci.server);
          const image = await freezeImage(oci.store);
          const index = await freezeIndex(oci.store, [image, await freezeImage(oci.store, { family: "oci" })]);
          await registry.check();
          for (const content of [image, index]) {
            const name = { ...NAME, tag: content === image ? "1.0.0" : "2.0.0" };
            assert.equal(await registry.find(name, testRun(), content), null);
            await registry.publish(content, name, testRun());
            assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
          }
        });
      }
    });
  }

  it("asks for a token of another resource too where the challenge wants one", async () => {
    oci.server.quirk = (asked, act) => {
      const honest = act();
      const isIn = isToken(asked) || asked.scopes.includes("aws");
      const header = `Bearer realm="${oci.server.url}/token",scope="aws"`;
      return isIn ? honest : { ...error(401, "UNAUTHORIZED"), headers: { "WWW-Authenticate": header } };
    };
    await registry.publish(await freezeImage(oci.store), NAME, testRun());
  });

  it("logs in by Basic where the Bearer challenge says nothing of where", async () => {
    oci.server.quirk = (asked, act) => {
      const isIn = asked.headers.authorization?.startsWith("Basic ") === true;
      if (isIn) asked.scopes.push("repository:acme/a:pull,push");
      if (isIn) asked.headers.authorization = `Bearer ${tokenFor(asked.scopes)}`;
      const header = 'Bearer realm="", Basic realm="crooked"';
      return isIn ? act() : { ...error(401, "UNAUTHORIZED"), headers: { "WWW-Authenticate": header } };
    };
    await registry.publish(await freezeImage(oci.store), NAME, testRun());
  });
});

/** A quirk may look at what is honest more than once. */
function once(act: () => Reply): () => Reply {
  let reply: Reply | undefined;
  return () => (reply ??= act());
}
