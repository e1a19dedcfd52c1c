import assert from "node:assert/strict";
import fc from "fast-check";
import { readLocation } from "../../../src/http/redirects.ts";

const FROM = new URL("https://r.example.com/v2/acme/a/blobs/uploads/?mount=x&from=y");

describe("The target of a redirect", () => {
  // The references of RFC 3986, 5.4, from a request for an upload.
  const safe: [string, string][] = [
    ["1?_state=x", "https://r.example.com/v2/acme/a/blobs/uploads/1?_state=x"],
    ["./1", "https://r.example.com/v2/acme/a/blobs/uploads/1"],
    ["../1", "https://r.example.com/v2/acme/a/blobs/1"],
    ["/u/1?a=%2F&b=a+b", "https://r.example.com/u/1?a=%2F&b=a+b"],
    ["?_state=x", "https://r.example.com/v2/acme/a/blobs/uploads/?_state=x"],
    ["//cdn.example.com/1", "https://cdn.example.com/1"],
    ["https://cdn.example.com:8443/1", "https://cdn.example.com:8443/1"],
    ["http://r.example.com/v2/1", "https://r.example.com/v2/1"],
    [" /u/1 ", "https://r.example.com/u/1"],
  ];
  for (const [location, href] of safe) {
    it(`${location} is ${href}`, () => {
      const goal = readLocation(location, FROM);
      assert.equal(goal.kind === "safe" && goal.url.href, href);
    });
  }

  const unsafe: [string | undefined, string][] = [
    [undefined, "no valid URL"],
    ["", "no valid URL"],
    ["http://[", "no valid URL"],
    ["http://cdn.example.com/canary", "http://cdn.example.com"],
    ["http://r.example.com:8080/canary", "http://r.example.com:8080"],
    ["https://ci:canary@r.example.com/", "https://r.example.com"],
    ["https://:canary@r.example.com/", "https://r.example.com"],
    ["file:///etc/passwd", "file://"],
    ["javascript:alert(1)", "javascript://"],
  ];
  for (const [location, shown] of unsafe) {
    it(`${location} is unsafe, and errors show only ${shown}`, () => {
      assert.deepEqual(readLocation(location, FROM), { kind: "unsafe", shown });
    });
  }

  it("is never less safe than the request, whatever it says", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.webPath()), (location) => {
        const goal = readLocation(location, FROM);
        assert.ok(goal.kind === "unsafe" || (goal.url.protocol === "https:" && goal.url.username === ""));
      }),
    );
  });
});
