import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactKind, ArtifactName, Digest, Location, PackageIdentity } from "../../../src/delivery/types.ts";
import type { Authorize } from "../../../src/http/login.ts";
import { openRegistries } from "../../../src/registries/index.ts";
import { FileRegistry } from "../../../src/registries/protocols/files/registry.ts";
import type { Shelf } from "../../../src/registries/protocols/files/shelf.ts";
import type { Registry, StampedContent } from "../../../src/registries/registry.ts";
import type { TypedSettings } from "../../../src/settings/type-list.ts";
import { digestOf } from "../../../src/store/digest.ts";
import { Store } from "../../../src/store/store.ts";
import { type FilesByName, freeze } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type FaultyProxy, type Passed, startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { tempDir } from "../../support/processes/process.ts";

/** A server with all that the contract has to know of its type. */
export interface Place {
  kind: ArtifactKind;
  /** Where the server listens; a proxy may stand before it. */
  origin: string;
  /** An entry of `registries` for the server behind `origin`. @param secret its password or token; left out: the right one */
  config(origin: string, secret?: string): TypedSettings;
  /** Left out by image registries: their tokens have tests of their own. */
  shelf?(origin: string, authorize: Authorize): Shelf;
  /** The `Authorization` header that the server takes. */
  authorization: string;
  /** Passwords and tokens, in whatever form: never to be seen in an error. */
  secrets: string[];
  name(version: string): { repository: string; tag: string };
  /** What a build makes of a version, one file or several. @param salt other bytes under the same names */
  files(version: string, salt: string): Promise<FilesByName>;
  /** What the files say of themselves, where the registry goes by it. */
  identity?(version: string): PackageIdentity;
  /** For image registries, whose content is no list of files. `files` gives its blobs then. */
  image?: {
    /** The same image for the same version and salt. */
    freeze(store: Store, version: string, salt: string): Promise<StampedContent>;
    /** The digests of all that the store holds for it. */
    stored(store: Store, content: StampedContent): Promise<Digest[]>;
    /** Names of its blobs, as `sends` takes them. */
    blobs(content: StampedContent): string[];
    /** The name of what is sent last. */
    last: string;
    /** The blobs in the tar that `pull` streams. */
    unpack(tar: FilesByName): FilesByName;
  };
  /** Whether a request that passed sends one of those files, not something beside it. */
  sends(request: Passed, file: string): boolean;
  /** Whether the server itself keeps what it has from being overwritten. */
  guards?: boolean;
  /** Fetches the same files with the ecosystem's own client. */
  readBack(location: Location, files: string[]): Promise<FilesByName>;
  holds(): Promise<string[]>;
  stop(): Promise<void>;
}

/** What every registry does, whatever its type; each version of the tests is its own, so none knows of another. */
export function itKeepsContent(title: string, start: () => Promise<Place>): void {
  describe(title, () => {
    let place: Place;
    let proxy: FaultyProxy;
    let dir: { path: string; remove(): Promise<void> };
    let store: Store;
    const told: string[] = [];

    before(async function () {
      this.timeout(60_000);
      place = await start();
      proxy = await startFaultyProxy(place.origin);
      dir = await tempDir();
      store = new Store(dir.path);
    });
    beforeEach(() => {
      proxy.fault = () => undefined;
      proxy.passed.length = 0;
    });
    after(async () => {
      await proxy?.stop();
      await place?.stop();
      await dir?.remove();
    });

    const configured = async (secret?: string, origin = proxy.url): Promise<Registry> => {
      const opened = (await openRegistries({ files: place.config(origin, secret) }, { store })).get("files");
      assert.ok(opened);
      return opened;
    };
    const named = (version: string): ArtifactName => ({ registry: "files", ...place.name(version), immutable: true });
    const frozen = async (version: string, salt = ""): Promise<StampedContent> =>
      place.image?.freeze(store, version, salt) ?? {
        ...(await freeze(store, await place.files(version, salt), place.kind)),
        ...(place.identity && { package: place.identity(version) }),
      };
    const partsOf = (content: StampedContent): string[] =>
      place.image?.blobs(content) ?? content.files?.map(({ name }) => name) ?? [];
    const isSent = (request: Passed, content: StampedContent) =>
      partsOf(content).some((part) => place.sends(request, part));
    /** The error, whose text is kept: no secret may be in any. */
    const failure = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => assert.fail("it was to fail"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof Error);
      told.push(`${error.stack} ${JSON.stringify(error)} ${error.cause instanceof Error ? error.cause.stack : ""}`);
      return error;
    };

    it("checks its login, and leaves nothing behind", async () => {
      const before = await place.holds();
      await (await configured()).check();
      assert.deepEqual(await place.holds(), before);
    });

    it("reports a wrong login and an unreachable server at the check", async () => {
      const denied = await failure((await configured("wr0ng-canary")).check());
      assert.ok(denied instanceof ConfigError);
      assert.equal(denied.code, "registry-denied");
      assert.match(denied.message, /^registries\.files: .*Check username and password/);
      const nobody = await failure((await configured(undefined, "http://127.0.0.1:1")).check());
      assert.ok(nobody instanceof TransientError);
      assert.equal(nobody.code, "registry-unreachable");
    });

    it("publishes once what the ecosystem's own client reads back byte for byte", async function () {
      this.timeout(60_000);
      const [content, name, run] = [await frozen("1.0.0"), named("1.0.0"), testRun()];
      const registry = await configured();
      assert.equal(await registry.find(name, run, content), null);
      const location = await registry.publish(content, name, run);
      assert.equal(location.digest, content.digest);
      assert.deepEqual([location.repository, location.tag], [name.repository, name.tag]);
      assert.deepEqual(await registry.find(name, run, content), { digest: content.digest });

      const files = await place.files("1.0.0", "");
      const back = await place.readBack(location, Object.keys(files));
      assert.deepEqual(digests(back), digests(files));

      const before = await place.holds();
      proxy.passed.length = 0;
      assert.deepEqual(await registry.publish(content, name, run), location);
      assert.equal(proxy.passed.filter(({ method }) => method !== "GET" && method !== "HEAD").length, 0);
      assert.deepEqual(await place.holds(), before);
    });

    it("never puts other bytes under a name that is taken", async () => {
      const [content, other, name] = [await frozen("1.1.0"), await frozen("1.1.0", "other"), named("1.1.0")];
      const registry = await configured();
      await registry.publish(content, name, testRun());
      const before = await place.holds();
      const taken = await failure(registry.publish(other, name, testRun()));
      assert.ok(taken instanceof Refused);
      assert.equal(taken.code, "name-taken");
      assert.notEqual((await registry.find(name, testRun(), other))?.digest, other.digest);
      assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
      assert.deepEqual(await place.holds(), before);
    });

    it("overwrites no other bytes that appear during a publication, if the server prevents it", async () => {
      const [content, other, name] = [await frozen("1.1.1"), await frozen("1.1.1", "other"), named("1.1.1")];
      const registry = await configured();
      await registry.publish(content, name, testRun());
      if (!place.guards) return;
      const before = await place.holds();
      let looking = true;
      proxy.fault = ({ method }) => {
        looking &&= method === "GET" || method === "HEAD";
        return looking ? { status: 404 } : undefined;
      };
      const taken = await failure(registry.publish(other, name, testRun()));
      assert.ok(taken instanceof Refused);
      assert.equal(taken.code, "name-taken");
      assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
      assert.deepEqual(await place.holds(), before);
    });

    it("restores a version into an empty store, and streams it verified", async () => {
      const [content, name, run] = [await frozen("1.2.0"), named("1.2.0"), testRun()];
      const registry = await configured();
      const location = await registry.publish(content, name, run);
      const files = await place.files("1.2.0", "");
      const streamed = await pulled(registry, location, content);
      assert.deepEqual(digests(place.image?.unpack(streamed) ?? streamed), digests(files));

      const stored = (await place.image?.stored(store, content)) ?? digestsOf(content);
      for (const digest of stored) await store.remove(digest);
      assert.equal(await registry.restore(location, run, content), true);
      for (const digest of stored) assert.ok(await store.has(digest));

      const other = await frozen("1.2.1");
      const nothing = { ...location, tag: named("1.2.1").tag };
      for (const digest of (await place.image?.stored(store, other)) ?? digestsOf(other)) await store.remove(digest);
      assert.equal(await registry.restore(nothing, run, other), false);
      const gone = await failure(registry.pull(nothing, new PassThrough().resume(), run, other));
      assert.ok(gone instanceof Refused);
      assert.equal(gone.code, "content-gone");
    });

    it("continues after an upload that was cut, and sends nothing twice", async () => {
      const [content, name] = [await frozen("1.3.0"), named("1.3.0")];
      const registry = await configured();
      const last = place.image?.last ?? partsOf(content).at(-1) ?? "";
      proxy.fault = (request) => (place.sends(request, last) ? { cutAfter: 10 } : undefined);
      const cut = await failure(registry.publish(content, name, testRun()));
      assert.ok(cut instanceof TransientError);
      assert.notEqual((await registry.find(name, testRun(), content))?.digest, content.digest);
      proxy.fault = () => undefined;
      proxy.passed.length = 0;
      await registry.publish(content, name, testRun());
      assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
      const parts = [...new Set([...partsOf(content), last])];
      const sent = proxy.passed.filter((request) => parts.some((part) => place.sends(request, part)));
      assert.equal(sent.length, 1);
    });

    it("asks once for a new token when one is refused, also during a publication", async () => {
      const [content, name] = [await frozen("1.4.0"), named("1.4.0")];
      let given = 0;
      const authorize: Authorize = async (refused) => {
        if (refused !== undefined) given++;
        return given > 0 ? place.authorization : "Bearer expired-canary";
      };
      if (place.shelf === undefined) return;
      const registry = new FileRegistry("files", place.shelf(proxy.url, authorize), { store });
      proxy.fault = ({ headers }) => (headers.authorization === "Bearer expired-canary" ? { status: 401 } : undefined);
      await registry.publish(content, name, testRun());
      assert.equal(given, 1);
      const hopeless = place.shelf(proxy.url, async () => "Bearer expired-canary");
      const denied = await failure(
        new FileRegistry("files", hopeless, { store }).publish(await frozen("1.4.1"), named("1.4.1"), testRun()),
      );
      assert.ok(denied instanceof Refused);
      assert.equal(denied.code, "registry-denied");
    });

    it("waits as long as a busy registry asks", async () => {
      const [content, name] = [await frozen("1.5.0"), named("1.5.0")];
      const registry = await configured();
      for (const [status, code] of [
        [503, "registry-unavailable"],
        [429, "registry-limited"],
      ] as const) {
        proxy.fault = ({ method }) =>
          method === "GET" || method === "HEAD" ? undefined : { status, headers: { "Retry-After": "7" } };
        const busy = await failure(registry.publish(content, name, testRun()));
        assert.ok(busy instanceof TransientError);
        assert.equal(busy.code, code);
        assert.equal(busy.retryAfter, 7_000);
      }
      proxy.fault = () => undefined;
      assert.equal((await registry.publish(content, name, testRun())).digest, content.digest);
    });

    it("checks for a file whose response was lost, and does not send it again", async () => {
      const [content, name] = [await frozen("1.6.0"), named("1.6.0")];
      proxy.fault = (request) => (isSent(request, content) ? { loseAnswer: true } : undefined);
      await (await configured()).publish(content, name, testRun());
      const taken = proxy.passed.filter(({ method, status }) => method !== "GET" && method !== "HEAD" && status < 400);
      for (const part of partsOf(content)) {
        assert.equal(taken.filter((request) => place.sends(request, part)).length, 1, part);
      }
    });

    it("sends no login to the target of a redirect", async () => {
      const elsewhere = await startFaultyProxy(place.origin);
      try {
        const content = await frozen("1.7.0");
        proxy.fault = ({ method, url }) =>
          method === "GET" || method === "HEAD"
            ? undefined
            : { status: 307, headers: { Location: `${elsewhere.url}${url}` } };
        const refused = await failure((await configured()).publish(content, named("1.7.0"), testRun()));
        assert.ok(refused instanceof Refused);
        assert.equal(refused.code, place.image ? "registry-refused" : "registry-redirect");
        assert.equal(elsewhere.passed.length, 0);
        // An image registry follows no redirect of a name either.
        if (place.image !== undefined) return;

        proxy.fault = ({ url }) => ({ status: 302, headers: { Location: `${elsewhere.url}${url}` } });
        await (await configured()).find(named("1.7.0"), testRun(), content).catch(() => {});
        assert.ok(elsewhere.passed.length > 0);
        assert.ok(elsewhere.passed.every(({ headers }) => headers.authorization === undefined));
      } finally {
        await elsewhere.stop();
      }
    });

    it("stops when the run is aborted, with its reason", async () => {
      const why = new Error("cancelled");
      const stop = new AbortController();
      const content = await frozen("1.8.0");
      proxy.fault = (request) => {
        if (isSent(request, content)) stop.abort(why);
        return undefined;
      };
      const stopped = await failure((await configured()).publish(content, named("1.8.0"), testRun(stop.signal)));
      assert.equal(stopped, why);
    });

    it("shows no secret in any of these errors", () => {
      assert.ok(told.length >= 8, "the tests before this one made errors");
      for (const secret of [...place.secrets, "wr0ng-canary", "expired-canary"]) {
        assert.deepEqual(
          told.filter((text) => text.includes(secret)),
          [],
        );
      }
    });
  });
}

function digestsOf(content: StampedContent): Digest[] {
  return [content, ...(content.files ?? [])].map(({ digest }) => digest);
}

function digests(files: FilesByName): [string, string][] {
  return Object.entries(files)
    .map(([name, bytes]): [string, string] => [name, digestOf(bytes)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What the port streams: one file as it is, several as a tar. */
async function pulled(registry: Registry, location: Location, content: StampedContent): Promise<FilesByName> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), registry.pull(location, sink, testRun(), content)]);
  const [first, ...others] = content.files ?? [];
  if (first !== undefined && others.length === 0) return { [first.name]: bytes };
  const files: FilesByName = {};
  const tar = extract();
  tar.end(bytes);
  for await (const entry of tar) files[entry.header.name] = await buffer(entry);
  return files;
}
