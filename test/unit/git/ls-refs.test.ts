import assert from "node:assert/strict";
import { lsRefs, NoSuchCommand, readAdvertisement, readRefList, type Server } from "../../../src/git/ls-refs.ts";
import { DELIMITER, encodePackets, FLUSH, MalformedPackets, RESPONSE_END } from "../../../src/git/pkt-line.ts";

const message = (...packets: (string | typeof FLUSH | typeof DELIMITER | typeof RESPONSE_END)[]) =>
  encodePackets(packets.map((packet) => (typeof packet === "string" ? Buffer.from(packet) : packet)));
const sha = "a".repeat(40);
const long = "b".repeat(64);
const sha1: Server = { takesAgent: true, objectFormat: "sha1" };

describe("The capability advertisement of a git server", () => {
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

  it("may hold nothing but ls-refs", () => {
    assert.deepEqual(readAdvertisement(message("version 2", "ls-refs", FLUSH)), {
      takesAgent: false,
      objectFormat: null,
    });
  });

  for (const [what, packets] of [
    ["of an older version", ["# service=git-upload-pack\n", FLUSH, `${sha} HEAD\0multi_ack\n`, FLUSH]],
    ["of a newer version", ["version 3\n", "ls-refs\n", FLUSH]],
    ["only the name of the service", ["# service=git-upload-pack\n", FLUSH]],
    ["empty", [FLUSH]],
    ["without ls-refs", ["version 2\n", "fetch=shallow\n", FLUSH]],
    ["for an unknown object format", ["version 2\n", "ls-refs\n", "object-format=sha3\n", FLUSH]],
  ] as const) {
    it(`is refused if it is ${what}`, () => {
      assert.throws(() => readAdvertisement(message(...packets)), NoSuchCommand);
    });
  }
});

describe("The request for refs", () => {
  const prefixes = "0014ref-prefix HEAD\n001bref-prefix refs/heads/\n001aref-prefix refs/tags/\n0000";

  it("asks for branches, tags and HEAD, with what the server supports", () => {
    assert.equal(
      lsRefs({ takesAgent: true, objectFormat: "sha256" }).toString(),
      `0014command=ls-refs\n0013agent=deliverd\n0019object-format=sha256\n0001000csymrefs\n${prefixes}`,
    );
  });

  it("sends nothing that the server does not support", () => {
    assert.equal(
      lsRefs({ takesAgent: false, objectFormat: null }).toString(),
      `0014command=ls-refs\n0001000csymrefs\n${prefixes}`,
    );
  });
});

describe("A list of refs", () => {
  it("gives branches and tags, and the branch of HEAD", () => {
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

  it("may be empty, and HEAD may point to no branch", () => {
    assert.deepEqual(readRefList(message(FLUSH), sha1), { raw: new Map(), defaultBranch: null });
    for (const head of [`${sha} HEAD\n`, `${sha} HEAD symref-target:refs/other/x\n`])
      assert.equal(readRefList(message(head, FLUSH), sha1).defaultBranch, null);
  });

  it("has ids of the length of the server's object format", () => {
    const list = message(`${long} refs/heads/main\n`, FLUSH);
    assert.equal(readRefList(list, { ...sha1, objectFormat: "sha256" }).raw.get("refs/heads/main"), long);
    assert.throws(() => readRefList(list, sha1), MalformedPackets);
    assert.throws(() => readRefList(list, { ...sha1, objectFormat: null }), MalformedPackets);
  });

  for (const [what, packets] of [
    ["without a flush at its end", [`${sha} refs/heads/main\n`]],
    ["with something after its end", [FLUSH, `${sha} refs/heads/main\n`, FLUSH]],
    ["with a second end", [FLUSH, FLUSH]],
    ["in two parts", [`${sha} refs/heads/main\n`, DELIMITER, FLUSH]],
    ["with a response-end packet", [`${sha} refs/heads/main\n`, RESPONSE_END, FLUSH]],
    ["with an error packet", ["ERR upload-pack: not our ref\n", FLUSH]],
    ["with an unborn HEAD", ["unborn HEAD symref-target:refs/heads/main\n", FLUSH]],
    ["with an id without a ref", [`${sha}\n`, FLUSH]],
    ["with an invalid id", [`${sha.toUpperCase()} refs/heads/main\n`, FLUSH]],
    ["with an empty line", ["", FLUSH]],
    ["with two lines in one", [`${sha} refs/heads/main\n${sha} refs/heads/other\n`, FLUSH]],
    ["with a NUL in a line", [`${sha} refs/heads/main\0x\n`, FLUSH]],
    ["with a tab in a line", [`${sha} refs/heads/main\tx\n`, FLUSH]],
  ] as const) {
    it(`is refused ${what}`, () => {
      assert.throws(() => readRefList(message(...packets), sha1), MalformedPackets);
    });
  }
});
