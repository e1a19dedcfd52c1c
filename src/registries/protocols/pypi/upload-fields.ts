import type { CoreMetadata } from "../../../packages/core-metadata.ts";

/**
 * The fields of core metadata (2.5) with their names in the upload form. Warehouse and twine agree on these names:
 * warehouse/forklift/metadata.py, twine/package.py. Name and version come first in the form, and are not listed here.
 */
const FIELDS: readonly (readonly [header: string, field: string])[] = [
  ["metadata-version", "metadata_version"],
  ["dynamic", "dynamic"],
  ["platform", "platform"],
  ["supported-platform", "supported_platform"],
  ["summary", "summary"],
  ["description", "description"],
  ["description-content-type", "description_content_type"],
  ["keywords", "keywords"],
  ["home-page", "home_page"],
  ["download-url", "download_url"],
  ["author", "author"],
  ["author-email", "author_email"],
  ["maintainer", "maintainer"],
  ["maintainer-email", "maintainer_email"],
  ["license", "license"],
  ["license-expression", "license_expression"],
  ["license-file", "license_file"],
  ["classifier", "classifiers"],
  ["project-url", "project_urls"],
  ["requires-python", "requires_python"],
  ["requires-external", "requires_external"],
  ["requires-dist", "requires_dist"],
  ["provides-extra", "provides_extra"],
  ["provides-dist", "provides_dist"],
  ["obsoletes-dist", "obsoletes_dist"],
  ["requires", "requires"],
  ["provides", "provides"],
  ["obsoletes", "obsoletes"],
  ["import-name", "import_name"],
  ["import-namespace", "import_namespace"],
];

/** The form fields of a file's metadata. A field with several values occurs once for each. */
export function uploadFields(metadata: CoreMetadata): [field: string, value: string][] {
  const isOld = isBefore(metadata.values("metadata-version")[0] ?? "", 2, 4);
  return (
    FIELDS
      // setuptools wrote License-File before the field existed (2.4), and an index refuses it in older metadata.
      .filter(([header]) => !(isOld && header === "license-file"))
      .flatMap(([header, field]) => metadata.values(header).map((value): [string, string] => [field, value]))
  );
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}
