import assert from "node:assert/strict";
import { coordinatesOf, pathOf, suffixOf } from "../../../src/registries/protocols/maven/coordinates.ts";

const name = { registry: "maven", repository: "org.example:hello", tag: "1.0", immutable: true };
const AT = coordinatesOf({ name });

describe("the name of a file in a Maven repository", () => {
  const place = (...names: string[]) => {
    const files = names.map((each) => ({ name: each, digest: "", size: 0 }));
    return files.map((file) => pathOf(AT, suffixOf(file, { files }, AT)).replace("org/example/hello/1.0/", ""));
  };

  it("is its own where it is called after artifact and version", () => {
    const names = ["hello-1.0.jar", "hello-1.0-sources.jar", "hello-1.0.pom", "hello-1.0.module"];
    assert.deepEqual(place(...names), names);
  });

  it("is made of its classifier where a build calls its files otherwise", () => {
    assert.deepEqual(place("app.war", "app-sources.jar", "pom.xml"), [
      "hello-1.0.war",
      "hello-1.0-sources.jar",
      "hello-1.0.pom",
    ]);
  });

  it("is refused where none can be told", () => {
    assert.throws(() => place("one.jar", "two.jar"), { code: "name-invalid" });
  });

  it("never leads out of its folder", () => {
    for (const repository of [
      "hello",
      "a:b:c",
      "org..example:hello",
      "..:hello",
      "org/example:hello",
      "org.example:",
    ]) {
      assert.throws(() => coordinatesOf({ name: { ...name, repository } }), { code: "name-invalid" });
    }
    assert.throws(() => coordinatesOf({ name: { ...name, tag: "../1.0" } }), { code: "name-invalid" });
  });
});
