import assert from "node:assert/strict";
import { type BuildFailure, explainFailure } from "../../../src/builders/engine/build-failure.ts";
import { BuildLog } from "../../../src/builders/image/build-log.ts";
import { TransientError, UserError } from "../../../src/delivery/errors.ts";

/** As these engines print it: Docker 20.10.24 and 26.1.5 with BuildKit and the classic builder, Podman 5.4.2. */
interface Row {
  engine: string;
  message: string;
  step?: string;
  tail?: string[];
}

const theirs: Record<string, Row[]> = {
  "a command that ended with an exit code": [
    { engine: "BuildKit 20.10", message: "executor failed running [/bin/sh -c echo hello; exit 3]: exit code: 3" },
    { engine: "BuildKit 26.1", message: 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3' },
    { engine: "classic", message: "The command '/bin/sh -c echo hello; exit 3' returned a non-zero code: 3" },
    {
      engine: "Podman",
      message: 'building at STEP "RUN echo hello; exit 3": while running runtime: exit status 3\n',
      tail: ["STEP 1/2: FROM base", "STEP 2/2: RUN echo hello; exit 3", "hello"],
    },
    {
      engine: "BuildKit 26.1",
      message: 'process "/bin/sh -c make test" did not complete successfully: exit code: 1',
      tail: ["ok 1 - starts a container", "runc run failed: unable to start container process", "not ok 2"],
    },
  ],
  "a command that is not in the image": [
    {
      engine: "BuildKit 26.1",
      message: 'process "/bin/nothing" did not complete successfully: exit code: 1',
      tail: [
        'runc run failed: unable to start container process: exec: "/bin/nothing": stat /bin/nothing: no such file or directory',
      ],
    },
    {
      engine: "classic",
      message:
        'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown',
      step: "RUN true",
    },
    {
      engine: "Podman",
      message: 'building at STEP "RUN /bin/nothing": while running runtime: exit status 1\n',
      tail: [
        "STEP 2/2: RUN /bin/nothing",
        'error running container: from /usr/bin/runc creating container for [/bin/nothing]: level=error msg="runc create failed: unable to start container process: exec: \\"/bin/nothing\\": stat /bin/nothing: no such file or directory"',
        ": exit status 1",
      ],
    },
  ],
  "what a step asks for and the build has not": [
    { engine: "BuildKit 26.1", message: "failed to solve: secret npmrc: not found", step: "RUN npm ci" },
    { engine: "BuildKit 0.8", message: "secret npmrc not found: not found", step: "RUN npm ci" },
    { engine: "BuildKit 26.1", message: "failed to solve: entitlement security.insecure is not allowed" },
    {
      engine: "BuildKit 0.8",
      message: "failed to load cache key: invalid response status 404",
      step: "ADD https://x /",
    },
    {
      engine: "BuildKit 26.1",
      message: 'failed to load cache key: repository does not contain ref v9, output: ""',
      step: "ADD https://example.com/a.git#v9 /",
    },
    {
      engine: "BuildKit 26.1",
      message: "digest mismatch sha256:aa: sha256:bb",
      step: "ADD --checksum=sha256:bb https://x /",
    },
  ],
  "options of a mount or a platform that nobody knows": [
    { engine: "BuildKit 26.1", message: 'failed to solve: invalid field "tmpfs" must be a key=value pair' },
    { engine: "BuildKit 26.1", message: 'failed to solve: unexpected key "sorce" in "sorce=x"' },
    {
      engine: "BuildKit 26.1",
      message:
        'failed to solve: failed to parse platform linux/amd 64: "amd 64" is an invalid component of "linux/amd 64": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
    },
  ],
  "a file where a folder stands": [
    {
      engine: "BuildKit 26.1",
      message: "failed to solve: cannot replace to directory /var/lib/docker/overlay2/x/merged/app/config with file",
      step: "COPY config /app/",
    },
  ],
  "a user that is not in the image": [
    {
      engine: "BuildKit 20.10",
      message: "executor failed running [/bin/sh -c true]: unable to find user nobody2: invalid argument",
      step: "RUN true",
    },
    { engine: "classic", message: "unable to find user nobody2: no matching entries in passwd file" },
    {
      engine: "Podman",
      message: 'building at STEP "RUN true": determining run uid: user: unknown user error looking up user "nobody2"\n',
    },
  ],
  "a file that COPY misses": [
    {
      engine: "BuildKit 20.10",
      message: 'failed to compute cache key: "/nowhere.txt" not found: not found',
      step: "COPY nowhere.txt /",
    },
    {
      engine: "BuildKit 26.1",
      message:
        'failed to compute cache key: failed to calculate checksum of ref 8cad01bd-de90::y5zf99: "/nowhere.txt": not found',
      step: "COPY nowhere.txt /",
    },
    {
      engine: "BuildKit 26.1",
      message: "lstat /var/lib/docker/tmp/buildkit-mount3704981534/nope: no such file or directory",
      step: "COPY --from=0 /nope /",
    },
    {
      engine: "classic",
      message:
        "COPY failed: file not found in build context or excluded by .dockerignore: stat nowhere.txt: file does not exist",
      step: "COPY nowhere.txt /",
    },
    { engine: "classic", message: "COPY failed: stat nope: file does not exist", step: "COPY --from=0 /nope /" },
    { engine: "classic", message: "COPY failed: no source files were specified", step: "COPY nowhere*.txt /" },
    {
      engine: "Podman",
      message:
        'building at STEP "COPY nowhere.txt /": checking on sources under "/var/tmp/libpod_builder2/build": copier: stat: "/nowhere.txt": no such file or directory\n',
    },
  ],
  "a target that cannot be written": [
    {
      engine: "BuildKit 20.10",
      message: "mkdir /var/lib/docker/overlay2/3eo286/merged/bin/busybox: not a directory",
      step: "WORKDIR /bin/busybox",
    },
    { engine: "classic", message: "Cannot mkdir: /bin/busybox is not a directory", step: "WORKDIR /bin/busybox" },
    {
      engine: "classic",
      message: "When using COPY with more than one source file, the destination must be a directory and end with a /",
      step: "COPY a.txt b.txt /x",
    },
    {
      engine: "Podman",
      message:
        'building at STEP "COPY a.txt b.txt /bin/busybox/": destination /bin/busybox/ already exists but is not a directory\n',
    },
  ],
  "a Dockerfile that is not there, or a link out of the context": [
    {
      engine: "BuildKit 20.10",
      message:
        "failed to solve with frontend dockerfile.v0: failed to read dockerfile: open etc/passwd: no such file or directory",
    },
    { engine: "BuildKit 26.1", message: "failed to read dockerfile: open Dockerfile: is a directory" },
    { engine: "classic", message: "Cannot locate specified Dockerfile: Dockerfile" },
  ],
  "a Dockerfile that cannot be read": [
    {
      engine: "BuildKit 20.10",
      message:
        "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUUN",
    },
    {
      engine: "BuildKit 26.1",
      message: "dockerfile parse error on line 2: unknown instruction: RUUN (did you mean RUN?)",
    },
    { engine: "BuildKit 26.1", message: "base name ($X) should not be blank" },
    { engine: "BuildKit 26.1", message: "no build stage in current context" },
    { engine: "BuildKit 26.1", message: "the Dockerfile cannot be empty" },
    { engine: "BuildKit 26.1", message: "Invalid containerPort: abc" },
    { engine: "BuildKit 26.1", message: 'failed to process "${B": unsupported modifier (�) in substitution' },
    { engine: "classic", message: "failed to parse Dockerfile: ENV must have two arguments" },
    { engine: "Podman", message: "determining starting point for build: no FROM statement found\n" },
    { engine: "Podman", message: "COPY --from=nostage: no stage or image found with that name\n" },
    {
      engine: "Podman",
      message: 'building at STEP "RUN --nope true": RUN only supports the --mount and --network flag\n',
    },
  ],
};

const engines: Record<string, Row[]> = {
  "a network that a step cannot get": [
    {
      engine: "classic",
      message: "failed to create endpoint bold_yalow on network bridge: adding interface veth to bridge failed",
      step: "RUN true",
    },
    { engine: "classic", message: "network builds not found", step: "RUN true" },
    { engine: "BuildKit 26.1", message: 'network mode "builds" not supported by buildkit' },
  ],
  "a runtime that cannot start any command": [
    {
      engine: "BuildKit 26.1",
      message: 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 1',
      tail: [
        "runc run failed: unable to start container process: unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/docker: cannot allocate memory",
      ],
    },
    {
      engine: "classic",
      message:
        "failed to create task for container: failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error: runc did not terminate successfully: exit status 1: unknown",
      step: "RUN exit 3",
    },
    {
      engine: "Podman",
      message: 'building at STEP "RUN exit 3": while running runtime: exit status 1\n',
      tail: [
        "STEP 1/2: FROM base",
        "STEP 2/2: RUN exit 3",
        "error running container: from /usr/bin/crun creating container for [/bin/sh -c exit 3]: setrlimit `RLIMIT_NOFILE`: Operation not permitted",
        ": exit status 1",
      ],
    },
    {
      engine: "Podman",
      message: 'building at STEP "RUN exit 3": while running runtime: exit status 125\n',
      tail: [
        "STEP 2/2: RUN exit 3",
        "error running container: did not get container start message from parent: EOF",
        ": exit status 125",
      ],
    },
    {
      engine: "Podman",
      message: 'building at STEP "RUN exit 3": while running runtime: exit status 1\n',
      tail: ["STEP 2/2: RUN exit 3", "netavark: nftables error: unable to execute nft: No such file or directory"],
    },
  ],
  "an address that asks for patience": [
    {
      engine: "BuildKit 26.1",
      message: "failed to load cache key: invalid response status 429",
      step: "ADD https://x /",
    },
    {
      engine: "BuildKit 26.1",
      message: "failed to load cache key: invalid response status 503",
      step: "ADD https://x /",
    },
  ],
  "a layer that its store has lost": [
    {
      engine: "BuildKit 26.1",
      message: "failed to read dockerfile: failed to mount /tmp/buildkit-mount1: no such file or directory",
    },
    {
      engine: "BuildKit 26.1",
      message: "failed to solve: lstat /var/lib/docker/overlay2/5aqz3f: no such file or directory",
      step: "COPY . /srv",
    },
    { engine: "BuildKit 26.1", message: "failed to compute cache key: blob sha256:aa11 not found", step: "COPY . /" },
  ],
  "a context that it does not hand to itself": [
    {
      engine: "BuildKit 26.1, containerd store",
      message:
        'failed to read downloaded context: failed to load cache key: Get "http://build-context-9omu60sta53": dial tcp: lookup build-context-9omu60sta53: no such host',
    },
  ],
  "words that nobody knows, with the user's own in them": [
    {
      engine: "BuildKit 20.10",
      message: 'executor failed running [/bin/sh -c echo "exit code: 3"]: runc did not terminate sucessfully',
      step: 'RUN echo "exit code: 3"',
    },
    { engine: "a later engine", message: "the turbine stopped", step: "RUN make" },
  ],
};

function failureOf({ message, step, tail }: Row): UserError | TransientError {
  const log = new BuildLog({ line: () => {}, write: () => {} });
  log.hear({ error: message });
  const heard = log.end();
  assert.ok(heard);
  const failure: BuildFailure = { ...heard, step: step ?? null, tail: tail ?? [] };
  return explainFailure(failure, null, null);
}

describe("the classification of a build's failure", () => {
  for (const [kind, rows] of Object.entries(theirs))
    for (const row of rows)
      it(`is the user's for ${kind} (${row.engine}: ${row.message.trim().slice(0, 60)})`, () => {
        const error = failureOf(row);
        assert.ok(error instanceof UserError, String(error));
        assert.equal(error.code, "build-failed");
      });

  for (const [kind, rows] of Object.entries(engines))
    for (const row of rows)
      it(`is the engine's for ${kind} (${row.engine}: ${row.message.trim().slice(0, 60)})`, () => {
        const error = failureOf(row);
        assert.ok(error instanceof TransientError, String(error));
        assert.equal(error.code, "engine-failed");
        assert.equal(error.tries, 8);
        assert.match(error.message, /^The engine failed, not the build\./);
      });

  it("reads the exit code from the engine's words, not from the command's text", () => {
    const row = { engine: "BuildKit 20.10", message: "executor failed running [/bin/x exit code: 3]: exit code: 1" };
    assert.match(failureOf(row).message, /failed with exit code 1/);
  });

  it("is the engine's where an image of the containerd store vanished under the classic builder", () => {
    const error = failureOf({ engine: "28.5", message: 'unable to find image "sha256:0123abcd"', step: "RUN true" });
    assert.equal(error.code, "image-vanished");
    const parent = failureOf({ engine: "28.5", message: "parent snapshot sha256:0123abcd does not exist: not found" });
    assert.equal(parent.code, "image-vanished");
  });

  it("is bounded where a command that failed only says that a disk is full", () => {
    const message = 'process "/bin/sh -c npm test" did not complete successfully: exit code: 1';
    const told = failureOf({ engine: "26.1", message, tail: ["Error: ENOSPC: limit of file watchers reached"] });
    assert.ok(told instanceof TransientError);
    assert.deepEqual([told.code, told.tries], ["disk-full", 8]);
    const engine = failureOf({ engine: "26.1", message: "write /var/lib/docker/tmp/x: no space left on device" });
    assert.ok(engine instanceof TransientError);
    assert.deepEqual([engine.code, engine.tries], ["disk-full", null]);
  });
});
