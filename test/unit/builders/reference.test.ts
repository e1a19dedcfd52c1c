import assert from "node:assert/strict";
import { parseReference } from "../../../src/builders/engine/reference.ts";

describe("an image reference", () => {
  const cases: [string, string, string, string, string | null][] = [
    ["node", "docker.io", "docker.io/library/node", "latest", null],
    ["acme/api:1", "docker.io", "docker.io/acme/api", "1", null],
    ["docker.io/node", "docker.io", "docker.io/library/node", "latest", null],
    ["index.docker.io/acme/api", "docker.io", "docker.io/acme/api", "latest", null],
    ["localhost/a", "localhost", "localhost/a", "latest", null],
    ["127.0.0.1:5000/a/b:c", "127.0.0.1:5000", "127.0.0.1:5000/a/b", "c", null],
    ["ghcr.io/a/b:1@sha256:00", "ghcr.io", "ghcr.io/a/b", "1", "sha256:00"],
    ["docker.io.evil.example/a", "docker.io.evil.example", "docker.io.evil.example/a", "latest", null],
  ];
  for (const [text, host, name, tag, digest] of cases) {
    it(`${text} lies at ${host}`, () => assert.deepEqual(parseReference(text), { host, name, tag, digest }));
  }
});
