import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { afterReleaseEvent, publishedEvent } from "../../../src/delivery/cloud-events.ts";
import type { Release } from "../../../src/delivery/types.ts";

const digest = `sha256:${"a".repeat(64)}`;
const location = (host: string, repository: string, tag: string) => ({
  ...{ registry: "hub", repository, tag, digest },
  url: `https://api.${host}/v2/`,
  pull: `docker pull ${host}/${repository}@${digest}`,
});
const release = (given: Partial<Release> = {}): Release => ({
  id: "42",
  artifact: "api",
  kind: "image",
  version: "1.2.3",
  versions: ["1.2.3"],
  repo: "github/acme/api",
  sha: "b".repeat(40),
  ref: "refs/heads/main",
  digest,
  committedAt: "2026-01-02T03:04:05Z",
  releasedAt: "2026-01-02T03:05:00Z",
  deliveryId: "d1",
  files: [],
  package: null,
  locations: [location("registry.example.com", "acme/API", "1.2.3"), location("other.example.com", "x/api", "1")],
  ...given,
});
const source = "https://deliverd.example.com";

// The rules of artifactpublished.json and pipelinerunfinished.json of CDEvents 0.5.1, of what these events use: nothing may be added to context, subject or content.
const filled = { type: "string", minLength: 1 };
const uri = { ...filled, format: "uri-reference" };
const object = (properties: Record<string, unknown>, required: string[]) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
const time = { type: "string", format: "date-time" };
const cdevent = (type: object, content: Record<string, unknown>) =>
  object(
    {
      context: object({ specversion: filled, id: filled, source: uri, type, timestamp: time }, [
        "specversion",
        "id",
        "source",
        "type",
        "timestamp",
      ]),
      subject: object({ id: filled, source: uri, content: object(content, []) }, ["id", "content"]),
      customData: { type: "object" },
      customDataContentType: { type: "string" },
    },
    ["context", "subject"],
  );
// CloudEvents 1.0, structured mode: attribute names are lower-case letters and digits.
const cloudevent = (name: string, content: Record<string, unknown>) => {
  const type = { type: "string", enum: [name] };
  return object(
    {
      specversion: { const: "1.0" },
      id: filled,
      source: uri,
      type,
      subject: filled,
      time,
      datacontenttype: { const: "application/json" },
      data: cdevent(type, content),
    },
    ["specversion", "id", "source", "type", "subject", "time", "data"],
  );
};
const published = cloudevent("dev.cdevents.artifact.published.0.3.0", { user: filled });
const ciEnded = cloudevent("dev.cdevents.pipelinerun.finished.0.3.0", {
  pipelineName: filled,
  outcome: filled,
  errors: filled,
});
const red = { what: "ci-red" as const, errors: "check test failed", time: "2026-01-02T04:00:00Z" };

describe("the announcement of a release", () => {
  for (const [what, schema, event] of [
    ["", published, publishedEvent(release(), source)],
    [" of red CI", ciEnded, afterReleaseEvent(release(), source, red)],
  ] as const) {
    it(`is a CDEvent in a CloudEvent, with the attributes that both share the same${what}`, () => {
      const ajv = new Ajv2020();
      formats.default(ajv);
      assert.ok(ajv.validate(schema, event), ajv.errorsText());
      const data = event.data as { context: Record<string, unknown>; subject: Record<string, unknown> };
      assert.deepEqual(
        [event.id, event.source, event.type, event.time, event.subject],
        [data.context.id, data.context.source, data.context.type, data.context.timestamp, data.subject.id],
      );
    });
  }

  it("has another id where it tells of red CI, one a release", () => {
    const later = { ...red, time: "2026-01-03T04:00:00Z" };
    const ids = [red, later].map((seen) => afterReleaseEvent(release(), source, seen).id);
    assert.deepEqual(ids, ["ci-red-42", "ci-red-42"]);
    assert.equal(publishedEvent(release(), source).id, "release-42");
  });

  it("names the artifact by digest and where it can be had", () => {
    assert.equal(
      publishedEvent(release(), source).subject,
      `pkg:oci/api@${digest}?repository_url=registry.example.com%2Facme%2FAPI`,
    );
    const local = { ...location("127.0.0.1:5000", "acme/api", "1"), pull: "", url: "http://127.0.0.1:5000/v2/" };
    assert.equal(
      publishedEvent(release({ locations: [local] }), source).subject,
      `pkg:oci/api@${digest}?repository_url=127.0.0.1%3A5000%2Facme%2Fapi`,
    );
  });

  it("finds the repository in whatever command pulls it", () => {
    const skopeo = {
      ...location("r.example.com", "a/api", "1"),
      pull: `skopeo copy docker://r.example.com/a/api@${digest} x`,
    };
    assert.match(
      String(publishedEvent(release({ locations: [skopeo] }), source).subject),
      /=r\.example\.com%2Fa%2Fapi$/,
    );
  });

  describe("names a package as its ecosystem does", () => {
    const file = { name: "x", digest, size: 1 };
    const subject = (given: Partial<Release>) =>
      publishedEvent(release({ files: [file], locations: [], ...given }), source).subject;
    const checksum = `checksum=sha256%3A${"a".repeat(64)}`;

    it("an npm package, with its scope or without", () => {
      const hello = { name: "@acme/hello", version: "1.2.4-5.gab12cd3" };
      assert.equal(subject({ kind: "npm", package: hello }), `pkg:npm/%40acme/hello@1.2.4-5.gab12cd3?${checksum}`);
      assert.equal(
        subject({ kind: "npm", package: { ...hello, name: "h" } }),
        `pkg:npm/h@1.2.4-5.gab12cd3?${checksum}`,
      );
    });

    it("a jar by group and artifact, from the POM or else from where it was put", () => {
      const library = { name: "org.example:library", version: "1.2.4-alpha.5.gab12cd3" };
      const url = `pkg:maven/org.example/library@1.2.4-alpha.5.gab12cd3?${checksum}`;
      assert.equal(subject({ kind: "jar", package: library }), url);
      const put = [
        { ...location("files", "acme/api/library", "1.2.3"), registry: "files" },
        location("maven", library.name, library.version),
      ];
      assert.equal(subject({ kind: "jar", locations: put }), url);
    });

    it("a wheel by the one spelling that PyPI's type has", () => {
      assert.equal(
        subject({ kind: "wheel", package: { name: "Acme.Hello__pkg", version: "1.2.4.dev5179383507" } }),
        `pkg:pypi/acme-hello-pkg@1.2.4.dev5179383507?${checksum}`,
      );
    });

    it("anything else by repo, artifact and version", () => {
      for (const kind of ["file", "ami", "jar"] as const) {
        assert.equal(subject({ kind }), `pkg:generic/acme/api/api@1.2.3?${checksum}`);
      }
    });

    it("with no checksum where there are several files", () => {
      assert.equal(subject({ kind: "file", files: [file, { ...file, name: "y" }] }), "pkg:generic/acme/api/api@1.2.3");
    });
  });

  it("is the same whenever it is made, and another for another release", () => {
    assert.deepEqual(publishedEvent(release(), source), publishedEvent(release(), source));
    assert.notEqual(publishedEvent(release({ id: "43" }), source).id, publishedEvent(release(), source).id);
  });

  it("tells what a deployer asks for", () => {
    const { customData } = publishedEvent(release(), source).data as { customData: Record<string, unknown> };
    const { repo, sha, ref, artifact, kind, versions, deliveryId, files } = release();
    const locations = release().locations.map(({ registry, repository, tag, digest, url, pull }) => {
      return { registry, name: `${repository}:${tag}`, digest, url, pull };
    });
    assert.deepEqual(customData, { repo, sha, ref, artifact, kind, digest, versions, deliveryId, files, locations });
  });
});
