import assert from "node:assert/strict";
import { lsRefs, NoSuchCommand, readAdvertisement, readRefList, type Server } from "../../../src/git/ls-refs.ts";
import { DELIMITER, encodePackets, FLUSH, MalformedPackets, RESPONSE_END } from "../../../src/git/pkt-line.ts";

const message = (...packets: (string | typeof FLUSH | typeof DELIMITER | typeof RESPONSE_END)[]) =>
  encodePackets(packets.map((packet) => (typeof packet === "string" ? Buffer.from(packet) : packet)));
const sha = "a".repeat(40);
const long = "b".repeat(64);
const sha1: Server = { takesAgent: true, objectFormat: "sha1" };

describe("What a server says of itself", () => {
  it("is read with and without the line that names the service", () => {
    const capabilities = [
      "version 2\n",
      "agent=git/2.39.5\n",
      "ls-refs=unborn\n",
      "object-format=sha256\n",
      FLUSH,
    ] as const;
    const expected = { takesAgent: true, objectFormat: "sha256" };
    assert.deepEqual(readAdvertisement(message(...capabilities)), expected);
    assert.deepEqual(readAdvertisement(message("# service=git-upload-pack\n", FLUSH, ...capabilities)), expected);
  });

  it("may be no more than that it lists refs", () => {
    assert.deepEqual(readAdvertisement(message("version 2", "ls-refs", FLUSH)), {
      takesAgent: false,
      objectFormat: null,
    });
  });

  for (const [what, packets] of [
    ["an older version", ["# service=git-upload-pack\n", FLUSH, `${sha} HEAD\0multi_ack\n`, FLUSH]],
    ["a version that lists refs in another way", ["version 3\n", "ls-refs\n", FLUSH]],
    ["no more than the service", ["# service=git-upload-pack\n", FLUSH]],
    ["nothing", [FLUSH]],
    ["no listing of refs", ["version 2\n", "fetch=shallow\n", FLUSH]],
    ["object ids of a kind we do not know", ["version 2\n", "ls-refs\n", "object-format=sha3\n", FLUSH]],
  ] as const) {
    it(`is of no use where it is ${what}`, () => {
      assert.throws(() => readAdvertisement(message(...packets)), NoSuchCommand);
    });
  }
});

describe("The request for refs", () => {
  const prefixes = "0014ref-prefix HEAD\n001bref-prefix refs/heads/\n001aref-prefix refs/tags/\n0000";

  it("asks for branches, tags and HEAD, with what the server said it takes", () => {
    assert.equal(
      lsRefs({ takesAgent: true, objectFormat: "sha256" }).toString(),
      `0014command=ls-refs\n0013agent=deliverd\n0019object-format=sha256\n0001000csymrefs\n${prefixes}`,
    );
  });

  it("tells nothing that the server does not know", () => {
    assert.equal(
      lsRefs({ takesAgent: false, objectFormat: null }).toString(),
      `0014command=ls-refs\n0001000csymrefs\n${prefixes}`,
    );
  });
});

describe("A list of refs", () => {
  it("gives branches and tags, and where HEAD points", () => {
    const list = message(
      `${sha} HEAD symref-target:refs/heads/main\n`,
      `${sha} refs/heads/main\n`,
      `${sha} refs/pull/1/head\n`,
      `${sha} refs/tags/v1 peeled:${sha}`,
      FLUSH,
    );
    assert.deepEqual(readRefList(list, sha1), {
      raw: new Map([
        ["refs/heads/main", sha],
        ["refs/tags/v1", sha],
      ]),
      defaultBranch: "main",
    });
  });

  it("may be empty, and HEAD may name no branch", () => {
    assert.deepEqual(readRefList(message(FLUSH), sha1), { raw: new Map(), defaultBranch: null });
    for (const head of [`${sha} HEAD\n`, `${sha} HEAD symref-target:refs/other/x\n`])
      assert.equal(readRefList(message(head, FLUSH), sha1).defaultBranch, null);
  });

  it("holds ids of the length that the server told", () => {
    const list = message(`${long} refs/heads/main\n`, FLUSH);
    assert.equal(readRefList(list, { ...sha1, objectFormat: "sha256" }).raw.get("refs/heads/main"), long);
    assert.throws(() => readRefList(list, sha1), MalformedPackets);
    assert.throws(() => readRefList(list, { ...sha1, objectFormat: null }), MalformedPackets);
  });

  for (const [what, packets] of [
    ["without an end", [`${sha} refs/heads/main\n`]],
    ["with something after its end", [FLUSH, `${sha} refs/heads/main\n`, FLUSH]],
    ["with a second end", [FLUSH, FLUSH]],
    ["in two parts", [`${sha} refs/heads/main\n`, DELIMITER, FLUSH]],
    ["that ends as another kind of answer does", [`${sha} refs/heads/main\n`, RESPONSE_END, FLUSH]],
    ["that is an error", ["ERR upload-pack: not our ref\n", FLUSH]],
    ["with a HEAD that nobody asked for", ["unborn HEAD symref-target:refs/heads/main\n", FLUSH]],
    ["with an id alone", [`${sha}\n`, FLUSH]],
    ["with an id that is none", [`${sha.toUpperCase()} refs/heads/main\n`, FLUSH]],
    ["with an empty line", ["", FLUSH]],
    ["with two lines in one", [`${sha} refs/heads/main\n${sha} refs/heads/other\n`, FLUSH]],
    ["with what git would cut at", [`${sha} refs/heads/main\0x\n`, FLUSH]],
    ["with what git would print as two columns", [`${sha} refs/heads/main\tx\n`, FLUSH]],
  ] as const) {
    it(`is none ${what}`, () => {
      assert.throws(() => readRefList(message(...packets), sha1), MalformedPackets);
    });
  }
});
