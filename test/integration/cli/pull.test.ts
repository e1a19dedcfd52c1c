import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { promisify } from "node:util";
import { readLayout } from "../../../src/cli/oci-layout.ts";
import type { FrozenFile } from "../../../src/delivery/types.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { withRepo } from "../../support/databases/ledgers.ts";
import { type TarEntry, tarOf } from "../../support/fixtures/archives.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type Download, downloadOnlyRegistry } from "../../support/registries/download-source.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { startApi, type TestApi, TOKEN } from "../api/support.ts";
import { runOnTerminal } from "./support.ts";

const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const file = (name: string, text: string): FrozenFile => ({ name, digest: digestOf(text), size: text.length });

describe("deliverd pull", function () {
  this.timeout(60_000);
  const shelved: Record<string, Download> = {};
  let ledger: Ledger;
  let api: TestApi;
  let dir: { path: string; remove(): Promise<void> };
  let out: string;

  before(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger, {
      registries: new Map([
        ["files", downloadOnlyRegistry(shelved)],
        ["empty", downloadOnlyRegistry({})],
      ]),
    });
  });
  after(async () => {
    await api.close();
    await ledger.close();
    await dir.remove();
  });
  beforeEach(() => {
    out = join(dir.path, `out-${Math.random().toString(36).slice(2)}`);
  });

  function pull(
    artifact: string,
    ...more: string[]
  ): Promise<{ code: number | string; stdout: string; stderr: string }> {
    const env = { PATH: process.env.PATH, DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [BIN, "pull", `${artifact}@1.0.0`, "-o", out, ...more],
        { env },
        (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  }

  it("saves one file under its name, and prints its digest", async () => {
    const tool = file("tool.bin", "one file");
    await released(ledger, "tool", "file", frozenFiles([tool]), ["empty", "files"]);
    shelved.tool = Buffer.from("one file");
    const { code, stdout, stderr } = await pull("tool");
    assert.deepEqual([code, stdout, stderr], [0, `${join(out, "tool.bin")} (${tool.digest})\n`, ""]);
    assert.deepEqual(await readdir(out), ["tool.bin"]);
    assert.equal(await readFile(join(out, "tool.bin"), "utf8"), "one file");

    const named = await pull("tool", "--from", "files", "--json");
    const files = [join(out, "tool.bin")];
    assert.deepEqual(JSON.parse(named.stdout), {
      ...{ artifact: "tool", version: "1.0.0", repo: "github/acme/api", digest: tool.digest },
      ...{ file: files[0], files, contents: [{ file: files[0], digest: tool.digest }], loaded: null, resumedAt: 0 },
    });
    const elsewhere = await pull("tool", "--from", "empty");
    assert.deepEqual([elsewhere.code, elsewhere.stderr], [1, "nothing called tool\n"]);
  });

  it("says what is wrong with a folder that cannot be made or written, and what to do", async () => {
    const tool = file("placed.bin", "one file");
    await released(ledger, "placed", "file", frozenFiles([tool]), ["files"]);
    shelved.placed = Buffer.from("one file");
    await mkdir(out);
    await writeFile(join(out, "a-file"), "");
    for (const [folder, says] of [
      ["/proc/x", /^\/proc\/x cannot be made: .*Choose another folder with --output\.\n$/],
      [join(out, "a-file"), /a-file is a file, or below a file; a folder is needed\. Choose another folder/],
      [join(out, "n".repeat(300)), /has a name that is too long for the file system\. Choose another folder/],
    ] as const) {
      const { code, stderr } = await pull("placed", "-o", folder);
      assert.equal(code, 1);
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /E[A-Z]+:/);
    }
    await mkdir(join(out, "placed.bin"));
    assert.match((await pull("placed")).stderr, /placed\.bin is a folder/);
  });

  it("unpacks several files, and only those of the release", async () => {
    const files = [file("a.jar", "aaa"), file("a.pom", "<project/>")];
    const frozen = frozenFiles(files);
    await released(ledger, "library", "jar", frozen);
    shelved.library = await tarOf([
      { name: "a.pom", text: "<project/>" },
      { name: "a.jar", text: "aaa" },
    ]);
    const { code, stdout } = await pull("library", "--json");
    assert.equal(code, 0);
    const { file: where, contents } = JSON.parse(stdout);
    assert.equal(where, out);
    assert.deepEqual(
      contents.toSorted((a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1)),
      files.map(({ name, digest }) => ({ file: join(out, name), digest })),
    );
    assert.deepEqual((await readdir(out)).sort(), ["a.jar", "a.pom"]);
    assert.equal(await readFile(join(out, "a.pom"), "utf8"), "<project/>");
  });

  it("leaves nothing behind and exits with 1 if the bytes are not the release's", async () => {
    await released(ledger, "changed", "file", frozenFiles([file("x", "right")]));
    shelved.changed = Buffer.from("wrong");
    const changed = await pull("changed");
    assert.equal(changed.code, 1);
    assert.match(
      changed.stderr,
      /^the content of changed 1\.0\.0 could not be pulled: its digest is sha256:\w+, but that of the release is sha256:/,
    );
    await assert.rejects(readdir(out), /ENOENT/);

    await mkdir(out);
    await writeFile(join(out, "mine"), "kept");
    const pair = frozenFiles([file("a", "a"), file("b", "b")]);
    const both: TarEntry[] = [
      { name: "a", text: "a" },
      { name: "b", text: "b" },
    ];
    const wrong: [name: string, entries: TarEntry[]][] = [
      [
        "exchanged",
        [
          { name: "a", text: "b" },
          { name: "b", text: "a" },
        ],
      ],
      ["missing", both.slice(0, 1)],
      ["twice", [...both, { name: "a", text: "a" }]],
      ["more", [...both, { name: "c", text: "c" }]],
      ["outside", [...both, { name: "../c", text: "c" }]],
      ["folder", [...both, { name: "d", type: "directory" }]],
      [
        "link",
        [
          { name: "a", type: "symlink", linkname: "/etc/passwd" },
          { name: "b", text: "b" },
        ],
      ],
    ];
    for (const [name, entries] of wrong) {
      await released(ledger, name, "file", pair);
      shelved[name] = await tarOf(entries);
      const { code, stderr } = await pull(name);
      assert.equal(code, 1, name);
      assert.match(stderr, new RegExp(`^the content of ${name} 1.0.0 could not be pulled: `), name);
      assert.deepEqual(await readdir(out), ["mine"], name);
    }
  });

  it("refuses a file name that leads out of the folder", async () => {
    for (const [number, name] of ["../escaped", "/tmp/escaped", "..", "a\\b"].entries()) {
      await released(ledger, `odd${number}`, "file", frozenFiles([file(name, "x")]));
      shelved[`odd${number}`] = Buffer.from("x");
      const { code, stderr } = await pull(`odd${number}`);
      assert.equal(code, 1, name);
      assert.match(stderr, /is not a valid file name/);
    }
    assert.deepEqual(
      (await readdir(dir.path)).filter((name) => /escaped/.test(name)),
      [],
    );
  });

  it("replaces earlier files, and a link itself instead of its target", async () => {
    await released(ledger, "again", "file", frozenFiles([file("again.bin", "new")]));
    shelved.again = Buffer.from("new");
    await mkdir(out);
    await writeFile(join(out, "target"), "kept");
    await symlink("target", join(out, "again.bin"));
    assert.equal((await pull("again")).code, 0);
    assert.equal(await readFile(join(out, "again.bin"), "utf8"), "new");
    assert.equal(await readFile(join(out, "target"), "utf8"), "kept");
  });

  it("resumes an interrupted transfer, and gives up if nothing more arrives, keeping what was downloaded", async () => {
    const text = "x".repeat(3_000_000);
    await released(ledger, "large", "file", frozenFiles([file("large.bin", text)]));
    let asked = 0;
    shelved.large = (into) => send(into, Buffer.from(text), asked++ === 0 ? 1_000_000 : text.length);
    const { code, stderr } = await pull("large");
    assert.deepEqual([code, stderr, asked], [0, "", 2]);
    assert.equal(await readFile(join(out, "large.bin"), "utf8"), text);

    await released(ledger, "stuck", "file", frozenFiles([file("stuck.bin", text)]));
    shelved.stuck = (into) => send(into, Buffer.from(text), 1_000_000);
    const stuck = await pull("stuck");
    assert.equal(stuck.code, 1);
    assert.match(stuck.stderr, /could not be pulled: .*run the same command again to resume/);
    assert.deepEqual(await readdir(out), [".deliverd-pull", "large.bin"]);
  });

  it("shows progress on a terminal and removes it at the end; prints nothing elsewhere", async () => {
    await released(ledger, "seen", "file", frozenFiles([file("seen.bin", "x".repeat(500_000))]));
    shelved.seen = Buffer.from("x".repeat(500_000));
    const env = { PATH: process.env.PATH, DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN };
    const command = `${process.execPath} ${BIN} pull seen@1.0.0 -o ${out}`;
    const { stdout } = await promisify(execFile)("script", ["-qec", command, "/dev/null"], { env });
    assert.match(stdout, /^\r\[#*-*\] +\d+ % +\d\.\d MB of 0\.5 MB/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's own
    assert.match(stdout, /\r\u001b\[K[^\r]*seen\.bin \(sha256:/);
    assert.equal((await pull("seen")).stderr, "");
  });

  it("shows the total of an image and of several files, of which the release does not say it", async () => {
    const manifest = "{}";
    const digest = digestOf(manifest);
    await released(ledger, "photo", "image", { digest, mediaType: "m", size: 1 });
    shelved.photo = await tarOf([
      { name: "oci-layout", text: "{}" },
      { name: `blobs/sha256/${digest.slice(7)}`, text: manifest },
      { name: "ballast", text: "x".repeat(400_000) },
    ]);
    const pair = [file("a", "a".repeat(300_000)), file("b", "b".repeat(300_000))];
    await released(ledger, "album", "file", frozenFiles(pair));
    shelved.album = await tarOf(pair.map(({ name }) => ({ name, text: name.repeat(300_000) })));
    const env = { DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN };
    const shown = await Promise.all(
      ["photo", "album"].map((name) => runOnTerminal(["pull", `${name}@1.0.0`, "-o", out], env)),
    );
    for (const [at, total] of ["0.4", "0.6"].entries())
      assert.match(shown[at]?.stdout ?? "", new RegExp(`\\r\\[[#-]{30}\\] \\d+ % {2}\\d\\.\\d MB of ${total} MB`));
    assert.deepEqual(await readdir(out), ["a", "b", "photo-1.0.0.tar"]);
  });

  it("verifies every blob of an image", async () => {
    const layer = "a layer";
    const config = "{}";
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { digest: digestOf(config), size: 2 },
      layers: [{ digest: digestOf(layer), size: 7 }],
    });
    const digest = digestOf(manifest);
    const blob = (text: string, as = text): TarEntry => ({ name: `blobs/sha256/${digestOf(as).slice(7)}`, text });
    const image: TarEntry[] = [{ name: "oci-layout", text: "{}" }, blob(config), blob(layer), blob(manifest)];
    const cases: [name: string, entries: TarEntry[], because: RegExp | null][] = [
      ["whole", image, null],
      ["unlisted", image.filter((entry) => entry.text !== layer), /is not in it/],
      [
        "other",
        image.map((entry) => (entry.text === layer ? blob("b layer", layer) : entry)),
        /the blob named sha256:/,
      ],
      ["without", image.slice(0, 3), new RegExp(`${digest} is not in it`)],
    ];
    for (const [name, entries, because] of cases) {
      await released(ledger, name, "image", { digest, mediaType: "m", size: 1 });
      shelved[name] = await tarOf(entries);
      const { code, stderr } = await pull(name);
      assert.equal(code, because === null ? 0 : 1, stderr);
      if (because !== null) assert.match(stderr, because);
    }
    assert.deepEqual(await readdir(out), ["whole-1.0.0.tar"]);
    assert.deepEqual(await readFile(join(out, "whole-1.0.0.tar")), shelved.whole);

    await mkdir(join(out, "blobs/sha256", digestOf(layer).slice(7)), { recursive: true });
    const content = Readable.from([shelved.whole], { objectMode: false });
    await assert.rejects(
      readLayout(content, digest, join(out, "blobs/sha256")),
      { code: "EISDIR" },
      "the cause is kept",
    );
  });
});

/** Breaks off after so many bytes. */
async function send(into: Writable, bytes: Buffer, upTo: number): Promise<void> {
  await new Promise<void>((resolve) => {
    into.write(bytes.subarray(0, upTo), () => resolve());
  });
  if (upTo < bytes.length) throw new Error("cut");
  await new Promise<void>((resolve) => into.end(() => resolve()));
}
