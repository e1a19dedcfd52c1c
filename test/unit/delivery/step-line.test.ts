import assert from "node:assert/strict";
import { readDockerfile } from "../../../src/delivery/dockerfile/index.ts";
import { lineOfStep } from "../../../src/delivery/dockerfile/step-line.ts";

const DOCKERFILE = `# The first line is a comment.
ARG BASE=debian:12
FROM $BASE AS build
ARG TARGETARCH
WORKDIR /src
COPY --chown=1:1 go.mod \\
     go.sum ./
RUN apt-get update \\
 && apt-get install -y  make
RUN make ARCH=$TARGETARCH all
RUN ["make", "test"]
RUN <<EOF
make lint
EOF
FROM scratch
COPY --from=build /src/out/$TARGETARCH/app /app
RUN echo twice
RUN echo twice
`;

describe("The line of a build step", () => {
  const { steps } = readDockerfile(DOCKERFILE, {
    ...{ file: "Dockerfile", args: {}, target: null, platform: null, buildPlatform: null, everyStage: true },
  });

  for (const [name, line] of [
    ["WORKDIR /src", 5],
    ["COPY --chown=1:1 go.mod      go.sum ./", 6],
    ["RUN apt-get update  && apt-get install -y  make", 8],
    ["RUN make ARCH=amd64 all", 10],
    ["RUN make ARCH=$TARGETARCH all", 10],
    ["RUN make test", 11],
    ["RUN <<EOF (make lint...)", 12],
    ["COPY --from=build /src/out/arm64/app /app", 16],
  ] as const)
    it(`is ${line} for ${name}`, () => assert.equal(lineOfStep(steps, name), line));

  for (const [why, name] of [
    ["no instruction is that", "RUN make"],
    ["two are equal", "RUN echo twice"],
    ["the engine's own step is none", "load metadata for docker.io/library/debian:12"],
    ["there is no name", ""],
  ] as const)
    it(`is not known if ${why}`, () => assert.equal(lineOfStep(steps, name), null));

  it("is not known for a long text of which a part differs", () => {
    const text = `RUN ${"$A a".repeat(50_000)}`;
    assert.equal(lineOfStep([{ line: 1, text }], `RUN ${"a".repeat(100_000)}b`), null);
  });
});
