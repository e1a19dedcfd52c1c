import assert from "node:assert/strict";
import { readCoreMetadata } from "../../../src/packages/core-metadata.ts";
import { uploadFields } from "../../../src/registries/protocols/pypi/upload-fields.ts";

/** Every field of https://packaging.python.org/en/latest/specifications/core-metadata/, and its name in Warehouse's form. */
const SPECIFIED: [header: string, field: string, values: string[]][] = [
  ["Metadata-Version", "metadata_version", ["2.5"]],
  ["Dynamic", "dynamic", ["License", "Keywords"]],
  ["Platform", "platform", ["ObscureUnix", "RareDOS"]],
  ["Supported-Platform", "supported_platform", ["RedHat 7.2", "i386-win32-2791"]],
  ["Summary", "summary", ["A module for collecting votes: ü"]],
  ["Description-Content-Type", "description_content_type", ["text/markdown; charset=UTF-8; variant=GFM"]],
  ["Keywords", "keywords", ["dog,puppy,voting"]],
  ["Author", "author", ["C. Schultz, Universal Features Syndicate"]],
  ["Author-email", "author_email", ['"C. Schultz" <charles@example.com>']],
  ["Maintainer", "maintainer", ["C. Schultz"]],
  ["Maintainer-email", "maintainer_email", ["charles@example.com"]],
  ["License", "license", ["GPL version 3, excluding DRM provisions"]],
  ["License-Expression", "license_expression", ["MIT OR GPL-2.0-or-later"]],
  ["License-File", "license_file", ["LICENSE", "AUTHORS"]],
  ["Classifier", "classifiers", ["Development Status :: 4 - Beta", "Environment :: Console (Text Based)"]],
  ["Requires-Dist", "requires_dist", ["pkginfo", "PasteDeploy; extra == 'test'"]],
  ["Requires-Python", "requires_python", [">=3.9,<4"]],
  ["Requires-External", "requires_external", ["C", "libpng (>=1.5)"]],
  ["Project-URL", "project_urls", ["Bug Tracker, https://example.com/bugs", "Source, https://example.com/"]],
  ["Provides-Extra", "provides_extra", ["pdf", "test"]],
  ["Provides-Dist", "provides_dist", ["OtherProject", "AnotherProject (3.4)"]],
  ["Obsoletes-Dist", "obsoletes_dist", ["Gorgon", "Foo"]],
  ["Home-page", "home_page", ["https://example.com/"]],
  ["Download-URL", "download_url", ["https://example.com/votes.tgz"]],
  ["Requires", "requires", ["re", "zlib (>=1.2)"]],
  ["Provides", "provides", ["xml", "xml.utils"]],
  ["Obsoletes", "obsoletes", ["old"]],
  ["Import-Name", "import_name", ["votes", "votes_private; private"]],
  ["Import-Namespace", "import_namespace", ["acme", "acme.tools"]],
];

const metadataOf = (fields: typeof SPECIFIED, body = "") =>
  readCoreMetadata(
    Buffer.from(
      `${fields.flatMap(([header, , values]) => values.map((value) => `${header}: ${value}\n`)).join("")}` +
        `Name: votes\nVersion: 1.0\n\n${body}`,
    ),
  );

describe("the form fields of an upload to PyPI", () => {
  for (const each of SPECIFIED) {
    const [header, field, values] = each;
    it(`says ${header} as ${field}`, () => {
      const version: typeof SPECIFIED = header === "Metadata-Version" ? [] : [["Metadata-Version", "", ["2.5"]]];
      const told = uploadFields(metadataOf([...version, each])).filter(([name]) => name === field);
      assert.deepEqual(
        told,
        values.map((value) => [field, value]),
      );
    });
  }

  it("says all of them at once, the description among them, and nothing besides", () => {
    const told = uploadFields(metadataOf(SPECIFIED, "# Votes\n"));
    const expected = [...SPECIFIED.map(([, field]) => field), "description"];
    assert.deepEqual([...new Set(told.map(([field]) => field))].sort(), expected.sort());
    assert.deepEqual(
      told.filter(([field]) => field === "description"),
      [["description", "# Votes\n"]],
    );
    assert.deepEqual(uploadFields(metadataOf([["X-Own", "", ["1"]]])), []);
  });

  it("leaves out License-File before there was such a field, as twine does", () => {
    for (const [version, isTold] of [
      ["1.2", false],
      ["2.1", false],
      ["2.3", false],
      ["2.4", true],
      ["2.10", true],
      ["3.0", true],
    ] as const) {
      const told = uploadFields(
        metadataOf([
          ["Metadata-Version", "", [version]],
          ["License-File", "", ["LICENSE"]],
        ]),
      );
      assert.equal(
        told.some(([field]) => field === "license_file"),
        isTold,
        version,
      );
    }
  });
});
