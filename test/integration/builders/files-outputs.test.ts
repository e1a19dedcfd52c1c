import assert from "node:assert/strict";
import { UserError } from "../../../src/delivery/errors.ts";
import { buildFiles, filesBuilderOf, filesOrder, sha256 } from "../../support/engine/file-builds.ts";
import { startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";

describe("The output files of a build", function () {
  this.timeout(60_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard();
  });
  after(() => yard.stop());
  const take = (files: string[], ...run: string[]) => buildFiles(yard, { run, files });
  const refused = async (building: Promise<unknown>, code: string, ...said: (string | RegExp)[]) => {
    await assert.rejects(building, (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, code);
      for (const each of said)
        assert.ok(typeof each === "string" ? error.message.includes(each) : each.test(error.message), error.message);
      return true;
    });
  };

  it("are what the globs match, each once and without folders, including files of the tree", async () => {
    const { texts } = await buildFiles(yard, {
      tree: { "dist/kept.txt": "kept", "dist/gone.txt": "gone", "other.txt": "other" },
      run: ["mkdir -p dist/sub/txt; echo -n new > dist/sub/new.txt; rm dist/gone.txt"],
      files: ["dist/**", "./dist/*.txt"],
    });
    assert.deepEqual(texts, { "kept.txt": "kept", "new.txt": "new" });
  });

  it("keep any bytes and any names", async () => {
    const { texts, files } = await take(
      ["-o*", "ü*"],
      `echo -n minus > "-o 'x'"; echo -n umlaut > ü.bin; : > -o-empty`,
    );
    assert.deepEqual(texts, { "-o 'x'": "minus", "ü.bin": "umlaut", "-o-empty": "" });
    assert.equal(files?.find(({ name }) => name === "-o-empty")?.digest, sha256(""));
  });

  it("may have longer names and deeper folders than a plain tar header holds", async () => {
    const [folder, name] = ["d/".repeat(120), "n".repeat(200)];
    const { texts } = await take(["d/**"], `mkdir -p ${folder}; echo -n deep > ${folder}${name}`);
    assert.deepEqual(texts, { [name]: "deep" });
  });

  it("may be links to files in the workspace, stored under the link's name", async () => {
    const { texts } = await take(["latest"], "mkdir a; echo -n one > a/1; ln -s 1 a/x; ln -s /workspace/a/x latest");
    assert.deepEqual(texts, { latest: "one" });
  });

  it("may be hard links, each stored as a file", async () => {
    const { texts } = await take(["a", "b"], "echo -n one > a; ln a b");
    assert.deepEqual(texts, { a: "one", b: "one" });
  });

  it("fail the build if a glob matches nothing, and the error lists what is there", async () => {
    const run = "mkdir -p build/libs; touch build/libs/app.jar build/libs/app.pom; mkdir build/tmp; touch build/tmp/x";
    await refused(
      take(["build/libs/*.war"], run),
      "nothing-matches",
      "build/libs/*.war",
      "In build/libs/ there is: app.jar, app.pom.",
    );
    await refused(take(["build/lib/*.jar"], run), "nothing-matches", "In build/ there is: libs/, tmp/.");
    await refused(take(["build/libs/app.jar", "*.tgz"], run), "nothing-matches", "In the workspace there is: build/.");
    await refused(take(["*.tgz"], "true"), "nothing-matches", "there is: nothing.");
    const many = "mkdir d; for i in $(seq 10 40); do touch d/$i; done";
    await refused(take(["d/*.x"], many), "nothing-matches", /there is: 10, (\d\d, ){18}29, and 11 more\./);
  });

  it("fail the build if a glob matches only a folder", async () => {
    await refused(take(["dist"], "mkdir dist; touch dist/a"), "bad-output", "dist is a folder", "dist/**");
    await refused(take(["dist"], "mkdir dist"), "bad-output", "dist is a folder with nothing in it");
  });

  it("fail the build if two have the same name, and the error names both", async () => {
    const run = "mkdir a b; touch a/x.txt b/x.txt";
    await refused(take(["*/x.txt"], run), "same-name-twice", "a/x.txt", "b/x.txt");
  });

  it("fail the build if there are too many", async () => {
    await refused(take(["*"], "for i in $(seq 1001); do : > $i; done"), "too-many-outputs", "1000");
  });

  it("stream into the store without being held in memory", async () => {
    const before = process.memoryUsage().rss;
    const order = filesOrder({ run: ["dd if=/dev/zero of=out bs=1 count=0 seek=150000000 2>/dev/null"] });
    const { size } = await filesBuilderOf(yard).build(order, testRun());
    assert.equal(size, 150e6);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 64e6, `${Math.round(grown / 1e6)} MB more`);
  });
});
