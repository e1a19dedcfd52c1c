import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { readCoreMetadata } from "../../../src/packages/core-metadata.ts";
import { readDistribution } from "../../../src/packages/python-distribution.ts";
import { zipOf } from "../../support/fixtures/archives.ts";
import { sourceOf, tarOf } from "./sources.ts";

const HEAD = "Metadata-Version: 2.4\nName: acme\nVersion: 1.0\n";
const read = (text: string) => readCoreMetadata(Buffer.from(text));

describe("core metadata", () => {
  for (const [title, text] of [
    ["as build tools write them", HEAD],
    ["behind a byte order mark", `\uFEFF${HEAD}`],
    ["with line ends of Windows", HEAD.replaceAll("\n", "\r\n")],
    ["with line ends of a Mac of old", HEAD.replaceAll("\n", "\r")],
    ["with names in any case", HEAD.toUpperCase().replace("ACME", "acme")],
    ["with folded values", "Metadata-Version: 2.4\nName:\n acme\nVersion:\t1.0\n\t\n"],
    ["with spaces around the values", "Metadata-Version:2.4  \nName:   acme\t\nVersion: 1.0 \n"],
    ["with other names below the headers", `${HEAD}\nName: other\nVersion: 2\n`],
    ["with a line that is no header", `${HEAD}no header at all\nName: other\n`],
  ] as const) {
    it(`say name and version ${title}`, () => {
      const { name, version, values } = read(text);
      assert.deepEqual([name, version, values("metadata-version")], ["acme", "1.0", ["2.4"]]);
    });
  }

  it("keep what may stand several times, and refuse what may not", () => {
    const several = "Classifier: A\nRequires-Dist: b\nclassifier: C\nImport-Name: d\nImport-Name: e\n";
    const { values } = read(HEAD + several);
    assert.deepEqual(
      [values("classifier"), values("import-name")],
      [
        ["A", "C"],
        ["d", "e"],
      ],
    );
    for (const field of ["Name", "version", "Summary", "License-Expression", "Requires-Python"])
      assert.throws(() => read(`${HEAD}${field}: x\n${field}: y\n`), new RegExp(`has ${field} twice`, "i"));
  });

  it("of a version that nobody here knows may repeat what they like but the fields that stand once today", () => {
    const { values } = read(`${HEAD.replace("2.4", "9.9")}Import-Hint: a\nImport-Hint: b\n`);
    assert.deepEqual([values("metadata-version"), values("import-hint")], [["9.9"], ["a", "b"]]);
    assert.throws(() => read(`${HEAD}Metadata-Version: 9.9\n`), /has metadata-version twice/);
  });

  for (const [title, text, description] of [
    ["is what stands below the headers", `${HEAD}\n# A\n\n    code\n`, "# A\n\n    code\n"],
    ["is the header of old, with its eight spaces", `${HEAD}Description: # A\n        \n        b\n`, "# A\n\nb"],
    ["is the header of old, with its bars", `${HEAD}Description: # A\n       |\n       |    code\n`, "# A\n\n    code"],
    ["is the body where both are there", `${HEAD}Description: old\n\nnew\n`, "new\n"],
  ] as const) {
    it(`whose description ${title}`, () => assert.deepEqual(read(text).values("description"), [description]));
  }

  it("cannot be without a name or a version", () => {
    for (const text of ["", "\n", "Name: a\n", "Version: 1\n", "Name:\nVersion: 1\n", `\n${HEAD}`])
      assert.throws(() => read(text), /no Name or no Version/);
  });

  it("have the headers and the body that Python's own reader finds", () => {
    const piece = fc.constantFrom(
      ..."NSab:- \t|",
      "\n",
      "\n",
      "\r\n",
      "\r",
      "Summary: ",
      "Keywords:",
      "ü",
      "\n ",
      "\n\n",
    );
    const texts = fc
      .sample(fc.array(piece, { maxLength: 14 }), { numRuns: 3000, seed: 11 })
      .map((pieces) => HEAD + pieces.join(""))
      // Python passes over a header without a name, and calls it a defect.
      .filter((text) => !/[\r\n]:/.test(text));
    const script = `
import json, sys
from email.parser import Parser
out = []
for text in json.load(sys.stdin):
    m = Parser().parsestr(text)
    out.append([[[k.lower(), " ".join(l.strip() for l in v.splitlines()).strip()] for k, v in m.items()], m.get_payload()])
print(json.dumps(out))`;
    const expected = JSON.parse(
      execFileSync("/usr/bin/python3", ["-c", script], {
        input: JSON.stringify(texts),
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      }),
    ) as [[string, string][], string][];
    let compared = 0;
    for (const [index, text] of texts.entries()) {
      const [headers, body] = expected[index] ?? [[], ""];
      const names = headers.map(([name]) => name);
      // One that we refuse.
      if (new Set(names).size < names.length) continue;
      const { values } = read(text);
      for (const [name, value] of headers) assert.deepEqual(values(name), [value], JSON.stringify(text));
      const plain = body.replace(/\r\n?/g, "\n");
      assert.deepEqual(values("description"), plain.trim() === "" ? [] : [plain], JSON.stringify(text));
      compared += 1;
    }
    assert.ok(compared > 1000);
  });
});

describe("a Python distribution", () => {
  it("has one metadata file, where its form has it", async () => {
    const files: [string, Promise<ReturnType<typeof sourceOf>> | ReturnType<typeof sourceOf>][] = [
      ["a-1.0-py3-none-any.whl", sourceOf(zipOf({ "a-1.0.dist-info/METADATA": HEAD, "x/a.dist-info/METADATA": "" }))],
      ["a-1.0.tar.gz", tarOf(["./a-1.0/PKG-INFO", HEAD], ["a-1.0/a.egg-info/PKG-INFO", ""])],
      ["a-1.0.zip", sourceOf(zipOf({ "a-1.0/PKG-INFO": HEAD, "a-1.0/METADATA": "" }))],
    ];
    for (const [name, source] of files) assert.equal((await readDistribution(name, await source)).version, "1.0");
    const twice = sourceOf(zipOf({ "a-1.0.dist-info/METADATA": HEAD, "b-1.0.dist-info/METADATA": HEAD }));
    await assert.rejects(readDistribution("a-1.0-py3-none-any.whl", twice), /it holds both/);
    await assert.rejects(readDistribution("a-1.0.tar.gz", await tarOf(["PKG-INFO", HEAD])), /it holds no PKG-INFO/);
  });
});
