// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables have that shape
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseReference } from "../../../src/builders/engine/reference.ts";
import { readDockerfile } from "../../../src/builders/image/dockerfile.ts";

const read = (lines: string[], args: Record<string, string> = {}, everyStage = false) =>
  readDockerfile(lines.join("\n"), { args, platform: "linux/amd64", everyStage });

describe("the images that a Dockerfile builds on", () => {
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
    ["nothing that it cannot make out", ["FROM $NOTHING", "FROM node:$X", "FROM"], []],
  ];
  for (const [what, lines, images, args] of cases) {
    it(`are ${what}`, () => assert.deepEqual(read(lines, args).images, images));
  }

  it("are those of every stage for the classic builder, which builds them all", () => {
    assert.deepEqual(read(["FROM ruby AS test", "FROM node"], {}, true).images, ["ruby", "node"]);
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

  it("are read from any text at all without an error, in bounded time", () => {
    const words = fc.constantFrom(
      "FROM ",
      "ARG ",
      "COPY --from=",
      "${",
      "}",
      ":-",
      "\\",
      "\n",
      '"',
      "'",
      "<<E",
      "E",
      "#",
      "=",
      "$",
      "a",
      " ",
      "\t",
    );
    const started = Date.now();
    fc.assert(fc.property(fc.array(words, { maxLength: 200 }), (parts) => void read([parts.join("")])));
    for (const part of ['ARG A="\\', "FROM ${a:-", "ARG \\", "<<", "RUN <<A "])
      read([`FROM a\n${part.repeat(50_000)}`]);
    assert.ok(Date.now() - started < 5_000, String(Date.now() - started));
  });
});

describe("an image's reference", () => {
  const cases: [string, string, string, string, string | null][] = [
    ["node", "docker.io", "docker.io/library/node", "latest", null],
    ["acme/api:1", "docker.io", "docker.io/acme/api", "1", null],
    ["docker.io/node", "docker.io", "docker.io/library/node", "latest", null],
    ["index.docker.io/acme/api", "docker.io", "docker.io/acme/api", "latest", null],
    ["localhost/a", "localhost", "localhost/a", "latest", null],
    ["127.0.0.1:5000/a/b:c", "127.0.0.1:5000", "127.0.0.1:5000/a/b", "c", null],
    ["ghcr.io/a/b:1@sha256:00", "ghcr.io", "ghcr.io/a/b", "1", "sha256:00"],
    ["docker.io.evil.example/a", "docker.io.evil.example", "docker.io.evil.example/a", "latest", null],
  ];
  for (const [text, host, name, tag, digest] of cases) {
    it(`${text} lies at ${host}`, () => assert.deepEqual(parseReference(text), { host, name, tag, digest }));
  }
});
