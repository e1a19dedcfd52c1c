import assert from "node:assert/strict";
import { readProperties } from "../../../src/packages/java-properties.ts";

describe("a Java .properties file", () => {
  // The examples of the documentation of java.util.Properties.load, and what Maven's plugins write.
  for (const [text, expected] of [
    ["Truth = Beauty", { Truth: "Beauty" }],
    [" Truth:Beauty", { Truth: "Beauty" }],
    ["Truth                    :Beauty", { Truth: "Beauty" }],
    ["fruits  apple, banana, \\\n        cantaloupe, \\\n  grape", { fruits: "apple, banana, cantaloupe, grape" }],
    ["cheeses", { cheeses: "" }],
    ["#a=1\n!b=2\n\n  # c\nd=4", { d: "4" }],
    ["a\\:b\\=c\\ d=e\\tf", { "a:b=c d": "e\tf" }],
    ["artifactId=lib\\u002d1", { artifactId: "lib-1" }],
    ["path=c\\:\\\\tools\\\\\r\nb=1", { path: "c:\\tools\\", b: "1" }],
    ["# joined \\\na=1", { a: "1" }],
    ["version=1\rversion=2", { version: "2" }],
    ["groupId=org.acme\r\nartifactId=lib\r\nversion=1.0", { groupId: "org.acme", artifactId: "lib", version: "1.0" }],
    ["a=1\\", { a: "1" }],
  ] as const) {
    it(`${JSON.stringify(text)} says ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(Object.fromEntries(readProperties(text)), expected);
    });
  }
});
