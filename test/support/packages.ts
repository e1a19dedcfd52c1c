import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Frozen } from "../../src/delivery/frozen.ts";
import type { ArtifactKind } from "../../src/delivery/types.ts";
import type { StampedContent } from "../../src/registries/registry.ts";
import { freezeFiles } from "../../src/store/files.ts";
import type { Store } from "../../src/store/store.ts";

export type FilesByName = Record<string, Buffer>;

/** Puts files into the store as a builder does, with the facts of a release. */
export async function freeze(store: Store, files: FilesByName, kind: ArtifactKind): Promise<StampedContent> {
  const frozen = await Promise.all(
    Object.entries(files).map(async ([name, bytes]) => {
      const { digest, size } = await store.write(Readable.from([bytes]), { maxBytes: bytes.length });
      return { name, digest, size };
    }),
  );
  const content: Frozen = await freezeFiles(store, frozen);
  return { ...content, kind, metadata: { "org.opencontainers.image.revision": "ab12cd3" } };
}

/** What `npm pack` makes of a package.json and a file beside it. @param salt makes other bytes of the same package */
export function npmPackage(name: string, version: string, salt = ""): Promise<Buffer> {
  const manifest = {
    name,
    version,
    description: 'A "test" – with\nmarks.',
    license: "Apache-2.0",
    bin: { hello: "index.js" },
  };
  return tarball({
    "package/package.json": JSON.stringify(manifest, null, 2),
    "package/index.js": `console.log("hello ${salt}");\n`,
    "package/README.md": "# Hello\n",
    // More than one chunk of a stream, however it is packed.
    "package/data.txt": noise(`${name}@${version} ${salt}`),
  });
}

/** A wheel of no code, whose metadata try what is hard in a form: marks, lines, repeated headers. */
export function wheel(name: string, version: string, salt = ""): Promise<Buffer> {
  const info = `${name.replace(/[-.]/g, "_")}-${version}.dist-info`;
  return zip({
    [`${info}/METADATA`]: coreMetadata(name, version),
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/RECORD`]: "",
    "hello.py": `# ${salt}\n`,
  });
}

export function sdist(name: string, version: string): Promise<Buffer> {
  return tarball({ [`${name}-${version}/PKG-INFO`]: coreMetadata(name, version) });
}

/** 200 kB that do not get smaller, the same for the same seed. */
function noise(seed: string): string {
  const parts = [seed];
  for (let n = 0; n < 6_000; n++) parts.push(createHash("sha256").update(`${seed} ${n}`).digest("base64"));
  return parts.join("");
}

/** The same files always give the same bytes. */
async function tarball(files: Record<string, string>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name, mtime: new Date(0) }, text);
  tar.finalize();
  return gzipSync(await buffer(tar));
}

function coreMetadata(name: string, version: string): string {
  return [
    "Metadata-Version: 2.1",
    `Name: ${name}`,
    `Version: ${version}`,
    "Summary: Says hello – politely",
    "Home-page: https://example.com/hello",
    "Author: A. Person",
    "Author-email: person@example.com",
    "License: Apache-2.0",
    "Keywords: hello,world",
    "Classifier: Programming Language :: Python :: 3",
    "Classifier: Operating System :: OS Independent",
    "Project-URL: Source, https://example.com/source",
    "Requires-Dist: requests (>=2)",
    "Requires-Python: >=3.8",
    "Provides-Extra: test",
    "Description-Content-Type: text/markdown",
    "",
    "# Hello",
    "",
    'A "line" of it, and --another.',
    "",
  ].join("\n");
}

/** A jar, with the POM inside it where Maven's own builds put it. */
export function jar(files: Record<string, string>): Promise<Buffer> {
  return zip({ "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", ...files });
}

const ZIP = `
import io, json, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    for name, text in json.load(sys.stdin).items():
        archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
sys.stdout.buffer.write(out.getvalue())
`;

async function zip(files: Record<string, string>): Promise<Buffer> {
  const child = execFile("/usr/bin/python3", ["-c", ZIP], { encoding: "buffer" });
  child.stdin?.end(JSON.stringify(files));
  const { stdout } = child;
  if (stdout === null) throw new Error("no output");
  const [bytes] = await Promise.all([buffer(stdout), once(child, "exit")]);
  return bytes;
}
