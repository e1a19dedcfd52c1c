import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { basicAuth } from "../../../src/http/login.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { HttpClient } from "../../../src/registries/protocols/http/client.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import { LOGIN } from "../../support/registries/scripted-registry.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Everything that a log would write about an error. */
function told(error: unknown): string {
  assert.ok(error instanceof Error);
  return `${error.stack} ${JSON.stringify(error)} ${error.cause instanceof Error ? error.cause.stack : ""}`;
}

describe("A secret that a registry issues", () => {
  const oci = useScriptedOci({ auth: true });

  it("is masked in the log from then on: tokens and refresh tokens", async () => {
    const mask = createMask([]);
    const registry = oci.open({ learn: mask.learn });
    const given: string[] = [];
    oci.server.quirk = (asked, act) => {
      const honest = act();
      if (asked.path !== "/token" || honest.status !== 200) return honest;
      const { token } = JSON.parse(String(honest.body)) as { token: string };
      given.push(token);
      return {
        status: 200,
        body: JSON.stringify({ token, refresh_token: "refresh-canary-1", id_token: "id-canary-22" }),
      };
    };
    await registry.publish(await freezeImage(oci.store), NAME, testRun());
    assert.ok(given.length > 0);
    for (const secret of [...given, "refresh-canary-1", "id-canary-22"]) {
      assert.equal(mask(`a line with ${secret} in it`), "a line with [secret] in it");
      assert.ok(!mask(base64(`user:${secret}`)).includes(base64(secret).slice(4, 16)));
    }
  });

  const echoes: Record<string, (authorization: string) => string> = {
    "in plain words": (authorization) => `you sent Authorization: ${authorization}`,
    "as JSON of OCI": (authorization) => JSON.stringify({ errors: [{ code: "DENIED", message: authorization }] }),
    "as JSON of npm": (authorization) => JSON.stringify({ error: `token ${authorization.split(" ")[1]} is no good` }),
    "in base64": (authorization) => `debug: ${base64(`x${authorization.split(" ")[1]}`)}`,
    "broken into lines": (authorization) => authorization.replace(/(.{16})/g, "$1\r\n"),
    "behind 290 other characters": (authorization) => `${"-".repeat(290)}${authorization}`,
    "URL-encoded": (authorization) => `?h=${encodeURIComponent(authorization)}`,
  };
  for (const [how, say] of Object.entries(echoes)) {
    it(`is in no error if the registry repeats it ${how}`, async () => {
      for (const status of [400, 401, 403, 404, 422, 429, 500, 503]) {
        const shown: string[] = [];
        const registry = oci.open();
        oci.server.quirk = (asked, act) => {
          const { authorization = "" } = asked.headers;
          if (asked.path === "/token" || authorization === "" || asked.method === "HEAD") return act();
          shown.push(authorization.split(" ")[1] ?? "");
          return { status, body: say(authorization) };
        };
        const failure = await registry.publish(await freezeImage(oci.store), NAME, testRun()).catch(told);
        assert.equal(typeof failure, "string");
        assert.ok(shown.length > 0);
        const flat = String(failure).replace(/\s+/g, "");
        for (const secret of shown) {
          for (const form of [secret, base64(secret).slice(4, 40), encodeURIComponent(secret), secret.slice(0, 24)]) {
            assert.ok(!flat.includes(form), `${status}: ${failure}`);
          }
        }
      }
    });
  }

  it("is in no error, and neither is the password of the login", async () => {
    const registry = oci.open();
    oci.server.quirk = (asked, act) => {
      if (asked.path !== "/token") return act();
      return { status: 403, body: `<<${asked.headers.authorization}>> ${LOGIN.password} ${base64(LOGIN.password)}` };
    };
    const failure = await registry.find(NAME, testRun(), undefined).catch(told);
    assert.ok(!/canary|Y2FuYXJ5|W5hcnkt|FuYXJ5/.test(String(failure)), String(failure));
  });

  it("is in no error as the signature or the credentials in the address of a redirect", async () => {
    const registry = oci.open();
    const image = await freezeImage(oci.store);
    const location = await registry.publish(image, NAME, testRun());
    for (const address of [
      "/storage?X-Amz-Signature=sig-canary-1&X-Amz-Security-Token=sts-canary-2",
      "http://ci:pw-canary-3@127.0.0.1:1/storage",
      "http://[broken-canary-4/?sig=5",
    ]) {
      oci.server.quirk = (asked, act) => {
        if (asked.path === "/storage")
          return { status: 403, body: `<Error>${asked.target} ${asked.query}</Error>.${asked.target}` };
        const isBlob = asked.method === "GET" && asked.path.includes("/blobs/");
        return isBlob ? { status: 307, headers: { Location: address } } : act();
      };
      const failure = await registry.pull(location, new PassThrough().resume(), testRun(), image).catch(told);
      assert.ok(!/canary/.test(String(failure)), String(failure));
    }
  });

  it("is masked in the responses of a file registry too", async () => {
    const login = basicAuth("ci", "s3cret-canary-9");
    const client = new HttpClient({ label: "files", url: new URL(oci.server.url), authorize: async () => login });
    oci.server.quirk = ({ headers }) => ({
      status: 500,
      body: `{"message":"${headers.authorization} ci:s3cret-canary-9"}`,
    });
    const ask = {
      method: "GET",
      url: new URL(`${oci.server.url}/x`),
      headers: {},
      repository: null,
      to: "read",
    } as const;
    const { signal } = new AbortController();
    const failure = await client.ask({ ...ask, expect: [200], signal }).catch(told);
    assert.ok(!/canary|Y2k6/.test(String(failure)), String(failure));
    assert.match(String(failure), /answered 500 to the request to read: Basic \[secret\] \[secret\]/);
  });
});
