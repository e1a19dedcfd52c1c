import assert from "node:assert/strict";
import {
  isUpToDate,
  NO_METADATA,
  readMetadata,
  withVersion,
} from "../../../src/registries/protocols/maven/metadata.ts";

const at = { group: "org.acme", artifact: "lib", version: "1.1" };
const document = (versioning: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<metadata modelVersion="1.1.0"><groupId>org.acme</groupId>${versioning}</metadata>`;

describe("the metadata of a Maven artifact", () => {
  for (const [title, versioning] of [
    [
      "as Maven writes it",
      "<versioning><latest>1.1</latest><release>1.0</release><versions><version>1.0</version><version>1.1</version></versions></versioning>",
    ],
    [
      "with lines and spaces",
      "<versioning>\n<release>\n 1.0 </release><latest> 1.1</latest>\n<versions>\n  <version> 1.0 </version>\n <version>1.1\n</version></versions></versioning>",
    ],
    [
      "with attributes, comments and CDATA",
      '<!-- <latest>9</latest> --><versioning><latest a="b">1.1</latest><release><![CDATA[1.0]]></release><versions x="<y">\n<!-- <version>9</version> --><version y="2">1.0</version><version>1&#46;1</version><version/></versions></versioning>'.replace(
        "<y",
        "&lt;y",
      ),
    ],
    [
      "with elements of the same names elsewhere",
      "<plugins><plugin><version>9</version></plugin></plugins><versioning><snapshot><latest>9</latest></snapshot><latest>1.1</latest><release>1.0</release><versions><version>1.0</version><version>1.1</version></versions></versioning>",
    ],
  ] as const) {
    it(`is read ${title}`, () => {
      assert.deepEqual(readMetadata(document(versioning)), { versions: ["1.0", "1.1"], latest: "1.1", release: "1.0" });
    });
  }

  it("may list nothing yet", () => {
    for (const versioning of ["", "<versioning/>", "<versioning><versions/></versioning>"])
      assert.deepEqual(readMetadata(document(versioning)), NO_METADATA);
  });

  it("is none where something else stands", () => {
    for (const text of ["", "<html/>", "<metadata>", "busy", "<metadata><versioning></metadata>"])
      assert.equal(readMetadata(text), null);
  });

  it("keeps what is listed, in what is written as in what is read", () => {
    const odd = { versions: ["1.0", "1.0-a&b", "1.0-<x>"], latest: null, release: null };
    const written = readMetadata(withVersion(odd, at, new Date(0)));
    assert.deepEqual(written?.versions.toSorted(), [...odd.versions, "1.1"].sort());
    assert.ok(written && isUpToDate(written, at));
    assert.equal(isUpToDate(odd, at), false);
  });
});
