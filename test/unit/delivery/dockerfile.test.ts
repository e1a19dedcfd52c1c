// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables have that shape
import assert from "node:assert/strict";
import fc from "fast-check";
import { type DockerfileOptions, readDockerfile } from "../../../src/delivery/dockerfile/index.ts";
import { UserError } from "../../../src/delivery/errors.ts";

const read = (lines: string[], args: Record<string, string> = {}, more: Partial<DockerfileOptions> = {}) =>
  readDockerfile(lines.join("\n"), {
    file: "api/Dockerfile",
    args,
    platform: "linux/amd64",
    buildPlatform: "linux/amd64",
    target: null,
    everyStage: false,
    ...more,
  });
const references = (...order: Parameters<typeof read>) => read(...order).images.map(({ reference }) => reference);

describe("the base images read from a Dockerfile", () => {
  const cases: [what: string, lines: string[], images: string[], args?: Record<string, string>][] = [
    ["one base", ["FROM node:24"], ["node:24"]],
    [
      "the base in small letters, with a platform and a name",
      ["from --platform=linux/arm64 node:24 as x"],
      ["node:24"],
    ],
    ["nothing for scratch", ["FROM scratch", "COPY a /"], []],
    ["an argument's default", ["ARG V=24", "FROM node:${V}"], ["node:24"]],
    ["an argument that is given", ["ARG V=24", "FROM node:$V"], ["node:22"], { V: "22" }],
    ["an argument that nobody declared stays empty", ["FROM node:${V:-20}"], ["node:20"], { V: "22" }],
    [
      "arguments made of others",
      ['ARG R="reg.example:5000"', "ARG B=$R/base:1", "FROM $B"],
      ["reg.example:5000/base:1"],
    ],
    ["an alternative value", ["ARG V=1", "FROM node${V:+:slim}"], ["node:slim"]],
    ["the platform that Docker predefines", ["FROM base-$TARGETARCH:$TARGETOS"], ["base-amd64:linux"]],
    ["no argument of a stage", ["FROM scratch AS a", "ARG V=1", "FROM node:${V:-2}"], ["node:2"]],
    ["no stage as an image", ["FROM node AS build", "RUN x", "FROM Build"], ["node"]],
    ["images to copy from", ["FROM node", "COPY --chown=1 --from=nginx:1 /a /b"], ["node", "nginx:1"]],
    [
      "stages to copy from by name and number",
      ["FROM node AS a", "FROM deno AS b", "FROM scratch", "COPY --from=0 . .", "COPY --from=b . ."],
      ["node", "deno"],
    ],
    ["images to mount", ["FROM node", "RUN --mount=type=bind,from=golang:1,target=/x make"], ["node", "golang:1"]],
    [
      "only what the last stage needs",
      ["FROM ruby AS test", "FROM node AS build", "FROM alpine", "COPY --from=build /x /"],
      ["alpine", "node"],
    ],
    ["continued lines with comments between", ["FROM \\", "# why", "", "  node:24 \\", "  AS x"], ["node:24"]],
    ["lines continued by another escape", ["# escape=`", "FROM `", "node"], ["node"]],
    [
      "no here-document's text",
      ["FROM node", "RUN <<EOF cat > /x && <<-'B' sh", "FROM no", "EOF", "FROM never", "\tB", "COPY --from=deno /a /b"],
      ["node", "deno"],
    ],
    ["CRLF and a byte order mark", ["\uFEFFFROM node\r", "RUN x\r"], ["node"]],
    // What follows was read wrongly once: each by one of the two readers that there were.
    [
      "no line of a here-document that COPY writes",
      ["FROM node", "COPY <<app.tmpl /srv/", "FROM the hills we come", "app.tmpl"],
      ["node"],
    ],
    [
      "no line of one with a name of two words",
      ["FROM node", 'RUN <<A cat && cat <<-"B C"', "x", "A", "FROM y", "\tB C", "RUN z"],
      ["node"],
    ],
    ["no line of one under ONBUILD", ["FROM node", "ONBUILD RUN <<EOF", "FROM b", "EOF"], ["node"]],
    [
      "no end of line for an escape that is escaped",
      ["FROM node AS a", "RUN dir C:\\\\tools\\\\", "FROM deno"],
      ["deno"],
    ],
    ["no join by a back-tick that is none", ["FROM node AS a", "RUN echo `date`", "FROM deno"], ["deno"]],
    ["a default in a default", ["ARG B=reg.example", "FROM ${A:-${B}/c:1}"], ["reg.example/c:1"]],
    ["a default of quotes and escapes", ["ARG A='x'\"y\"\\z", "FROM $A"], ["xyz"]],
    [
      "no shift for a here-document",
      ["FROM node", "RUN echo $((1<<2)) 3<<4", "4", "COPY --from=deno /a /b"],
      ["node", "deno"],
    ],
    [
      "words of a line that is no sentence of the shell",
      ["FROM node", "RUN echo it's <<EOF", "COPY --from=deno /a /b"],
      ["node", "deno"],
    ],
    ["lines joined without a blank", ["FROM no\\", "de:2\\", "4"], ["node:24"]],
    ["quoted bases and flags", ['FROM "node" AS a', "COPY --from='deno' /a /b"], ["node", "deno"]],
    ["a pattern taken from the start", ["ARG T=v1.2.3", "FROM node:${T#v}"], ["node:1.2.3"]],
    [
      "a pattern taken from the end",
      ["ARG T=1.2.3", "FROM node:${T%.*} AS a", "FROM node:${T%%.*}", "COPY --from=a . ."],
      ["node:1", "node:1.2"],
    ],
    [
      "a pattern replaced",
      ["ARG T=a/b/c", "FROM x-${T/\\//-} AS a", "FROM x-${T//\\//-}", "COPY --from=a . ."],
      ["x-a-b-c", "x-a-b/c"],
    ],
    ["a demand that is met", ["ARG T=1", "FROM node:${T:?none}"], ["node:1"]],
    ["the name of the last stage", ["FROM node-$TARGETSTAGE AS prod"], ["node-prod"]],
    [
      "a stage of ONBUILD only where it is built on",
      ["FROM node AS a", "ONBUILD COPY --from=deno / /", "FROM a"],
      ["node", "deno"],
    ],
    ["no image of a number that names none", ["FROM node", "COPY --from=7 . ."], ["node"]],
    ["an image whose name is a number, to a mount", ["FROM node", "RUN --mount=from=0,target=/x true"], ["node", "0"]],
    ["mounts in quotes", ["FROM node", `RUN --mount='"type=bind","from=deno",target=/x' true`], ["node", "deno"]],
    ["nothing for what ADD fetches", ["FROM node", "ADD https://x.example/a.git#v1 /a"], ["node"]],
    ["what another frontend may read otherwise", ["# syntax=acme/other", "IMAGE node"], []],
  ];
  for (const [what, lines, images, args] of cases) {
    it(`are ${what}`, () => assert.deepEqual(references(lines, args), images));
  }

  it("are those of every stage for the classic builder, which builds every stage", () => {
    assert.deepEqual(references(["FROM ruby AS test", "FROM node"], {}, { everyStage: true }), ["ruby", "node"]);
  });

  it("are those of the stages that the target needs", () => {
    const lines = ["FROM ruby AS Test", "FROM node AS release", "COPY --from=deno / /", "FROM perl"];
    assert.deepEqual(references(lines, {}, { target: "RELEASE" }), ["node", "deno"]);
    assert.deepEqual(references(lines, {}, { target: "test" }), ["ruby"]);
    assert.equal(read(lines, {}, { target: "test" }).target, "Test");
    assert.deepEqual(references(lines, {}, { target: "release", everyStage: true }), ["ruby", "node", "deno"]);
    assert.deepEqual(references(["FROM x-$TARGETSTAGE AS a", "FROM node AS b"], {}, { target: "a" }), ["x-a"]);
  });

  it("are not read if there is no such target, and the error names the stages", () => {
    assert.throws(() => read(["FROM ruby AS test", "FROM node"], {}, { target: "release" }), {
      code: "dockerfile-invalid",
      message:
        /^api\/Dockerfile: it has no stage "release", which the pipeline names as target\. Its stages are test\.$/,
    });
    // Another frontend has stages of its own.
    assert.deepEqual(references(["# syntax=acme/other", "IMAGE node"], {}, { target: "release" }), []);
  });

  it("come with the declared arguments and the frontend's image", () => {
    const facts = read([
      "# syntax = docker/dockerfile:1",
      "ARG A",
      "FROM node",
      "ARG B=1 C='two words'",
      "RUN --x ARG D",
    ]);
    assert.deepEqual([...facts.args], ["A", "B", "C"]);
    assert.equal(facts.syntax, "docker/dockerfile:1");
    assert.equal(read(["FROM node", "# syntax=none"]).syntax, null);
  });

  it("come with the platform that FROM names", () => {
    const lines = [
      "FROM --platform=$BUILDPLATFORM golang AS a",
      "FROM --platform=linux/x86_64 deno AS b",
      "FROM --platform=arm64 ruby AS c",
      "FROM node",
      ...["a", "b", "c"].map((stage) => `COPY --from=${stage} /x /`),
    ];
    assert.deepEqual(read(lines, {}, { platform: "linux/arm64" }).images, [
      { reference: "node", platform: null },
      { reference: "golang", platform: "linux/amd64" },
      { reference: "deno", platform: "linux/amd64" },
      // An architecture alone is completed by the engine.
      { reference: "ruby", platform: null },
    ]);
  });

  it("are not guessed where only the engine knows them", () => {
    assert.deepEqual(references(["FROM node:$TARGETVARIANT"], {}, { platform: "linux/arm64" }), []);
    const doubled = Array.from({ length: 30 }, () => "ARG A=$A$A");
    assert.deepEqual(references(["ARG A=aaaa", ...doubled, "FROM node:$A"]), []);
  });
});

describe("a Dockerfile that BuildKit refuses", () => {
  const cases: [lines: string[], place: string, what: RegExp][] = [
    [[], "api/Dockerfile:", /no instruction/],
    [["# only a comment"], "api/Dockerfile:", /no instruction/],
    [["ARG A"], "api/Dockerfile:", /no FROM/],
    [["# escape=x", "FROM a"], "api/Dockerfile, line 1:", /escape directive/],
    [["# escape=`", "# escape=`", "FROM a"], "api/Dockerfile, line 2:", /only one escape/],
    [["RUN x", "FROM a"], "api/Dockerfile, line 1 (RUN):", /before the first FROM/],
    [["FROM"], "api/Dockerfile, line 1 (FROM):", /one or three/],
    [["FROM a b"], "api/Dockerfile, line 1 (FROM):", /one or three/],
    [["FROM a AS 1b"], "api/Dockerfile, line 1 (FROM):", /name of a stage/],
    [["FROM $NOTHING"], "api/Dockerfile, line 1 (FROM):", /is empty/],
    [["", "FROM node:$X"], "api/Dockerfile, line 2 (FROM):", /neither a stage nor/],
    [["FROM ${X:?none}"], "api/Dockerfile, line 1 (FROM):", /X: none/],
    [["FROM ${X"], "api/Dockerfile, line 1 (FROM):", /unsupported modifier|missing '}'/],
    [["FROM ${X!y}"], "api/Dockerfile, line 1 (FROM):", /unsupported modifier/],
    [['ARG A="x', "FROM a"], "api/Dockerfile, line 1 (ARG):", /double-quote/],
    [["ARG A=1", "FROM a${A#\\n}"], "api/Dockerfile, line 2 (FROM):", /invalid pattern/],
    [["FROM --platform=a/b/c/d x"], "api/Dockerfile, line 1 (FROM):", /not a platform/],
    [["FROM --platform=a --platform=b x"], "api/Dockerfile, line 1 (FROM):", /twice/],
    [["FROM a", "", "ARG"], "api/Dockerfile, line 3 (ARG):", /at least one/],
    [["FROM a", "ARG =1"], "api/Dockerfile, line 2 (ARG):", /blank/],
    [["FROM a", "RUN \\", "  <<EOF", "x"], "api/Dockerfile, line 2 (RUN):", /no line EOF/],
    [["FROM a", "COPY a <<EOF", "EOF"], "api/Dockerfile, line 2 (COPY):", /destination/],
    [["FROM a", "COPY x"], "api/Dockerfile, line 2 (COPY):", /two arguments/],
    [["FROM a", "COPY --from=$X a b"], "api/Dockerfile, line 2 (COPY):", /no variables/],
    [["FROM a", "COPY --from=0 a b"], "api/Dockerfile, line 2 (COPY):", /before it ends/],
    [
      ["FROM a", "COPY --from=b a b", "FROM a AS b", "FROM a", "COPY --from=0 a b"],
      "api/Dockerfile, line 2 (COPY):",
      /before it ends/,
    ],
    [["FROM a", "RUN --mount=from=$X x"], "api/Dockerfile, line 2 (RUN):", /no variables/],
    [["FROM a", 'CMD ["a", 1]'], "api/Dockerfile, line 2 (CMD):", /strings only/],
    [["FROM a", "ENV A"], "api/Dockerfile, line 2 (ENV):", /two arguments/],
    [["FROM a", "ONBUILD FROM b"], "api/Dockerfile, line 2 (ONBUILD):", /trigger/],
    [["FROM a", "ONBUILD ONBUILD RUN x"], "api/Dockerfile, line 2 (ONBUILD):", /trigger/],
    [["FROM a", "SHELL sh -c"], "api/Dockerfile, line 2 (SHELL):", /JSON/],
    [["FROM a", "RNU x"], "api/Dockerfile, line 2 (RNU):", /unknown instruction: RNU/],
    [["FROM a", `RUN ${"x".repeat(65_536)}`], "api/Dockerfile, line 2:", /65535 bytes/],
  ];
  for (const [lines, place, what] of cases) {
    it(`is refused with its line: ${JSON.stringify(lines.join("\n").slice(0, 60))}`, () => {
      assert.throws(
        () => read(lines),
        (error) =>
          error instanceof UserError &&
          error.code === "dockerfile-invalid" &&
          error.message.startsWith(place) &&
          what.test(error.message),
      );
    });
  }

  it("is left to the engine where a newer frontend may accept it", () => {
    assert.deepEqual(references(["FROM a", "COPY --from=b --new=flag x y"]), ["a", "b"]);
    assert.deepEqual(references(["# syntax=acme/other:1", "FROM a", "RNU x"]), []);
    assert.throws(() => read(["# syntax=docker/dockerfile:1", "FROM a", "RNU x"]), { code: "dockerfile-invalid" });
  });
});

describe("arbitrary text read as a Dockerfile", () => {
  const words = fc.constantFrom(
    ..."FROM |ARG |COPY --from=|ONBUILD |RUN --mount=from=|${|}|:-|//|#|%|*|\\|`|\n|\"|'|<<E|E|=|$|a| |\t|,|[|]|\r|é".split(
      "|",
    ),
  );

  it("is accepted or ends in a UserError", () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 200 }), (parts) => {
        try {
          read(["FROM a", parts.join("")]);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("is read in less than five seconds of a processor, at a megabyte of hostile text", function () {
    // The clock on the wall is not what is measured.
    this.timeout(300_000);
    const long = (part: string, head = "FROM a\n") => head + part.repeat(Math.floor(1_000_000 / part.length));
    const wide = "a".repeat(30_000);
    const hostile: Record<string, string> = {
      "one line": long("x", "FROM a\nRUN "),
      "open quotes": long('ARG A="\\'),
      "nested substitutions, continued": `FROM ${"${A:-\\\n".repeat(100_000)}`,
      "nested substitutions in quotes": `FROM ${'"${A:-\\\n'.repeat(100_000)}`,
      "continued lines": long("ARG \\\n"),
      "comments in a continuation": long("# x\n", "FROM a\nRUN \\\n"),
      "here-documents of one line": `FROM a\nRUN ${"<<A \\\n".repeat(100_000)}\n${"A\n".repeat(100_000)}`,
      "here-documents without an end": long("RUN <<A\n"),
      "carriage returns": `FROM a\n${`${"\r".repeat(60_000)}x\n`.repeat(16)}`,
      blanks: `FROM a\n${`${" ".repeat(60_000)}x\\\n`.repeat(16)}`,
      "ONBUILDs in ONBUILDs": long("ONBUILD "),
      "ONBUILDs under many stages": `FROM a AS a\n${"ONBUILD COPY --from=b x y\n".repeat(15_000)}${"FROM a\n".repeat(50_000)}`,
      "stages upon stages": Array.from(
        { length: 40_000 },
        (_, index) => `FROM ${index ? `s${index - 1}` : "a"} AS s${index}`,
      ).join("\n"),
      "doubling arguments": `ARG A=aa\n${"ARG A=$A$A$A$A\n".repeat(60_000)}FROM $A`,
      "a line of large arguments": `ARG A=${wide}\nARG B=${"$A".repeat(30_000)}\nFROM $B`,
      "patterns of stars": `ARG A=${wide}\nFROM a\${A//${"*a".repeat(10_000)}*b/x}`,
      "patterns of marks": `ARG A=${wide}\nFROM a\${A%${"?".repeat(15_000)}b}`,
      "a JSON array, deep": long("[", "FROM a\nRUN "),
      flags: long("--x ", "FROM a\nRUN "),
      "flags that are not ASCII": long("--é ", "FROM a\nRUN "),
      "a mount of many fields": `FROM a\nRUN --mount=${",from=a\\\n".repeat(100_000)} x`,
      directives: long("# check=x\n"),
      "a reference": `FROM ${"a-".repeat(30_000)}`,
    };
    for (const [what, text] of Object.entries(hostile)) {
      // Of this process alone: the machine may be busy.
      const before = process.cpuUsage();
      try {
        read([text]);
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`${what}: ${error}`);
      }
      const took = process.cpuUsage(before).user / 1_000;
      assert.ok(took < 5_000, `${what}: ${took.toFixed(0)} ms`);
    }
  });
});
