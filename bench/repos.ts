import { execFile } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { promisify } from "node:util";
import { importShell } from "../test/support/engine/image-builds.ts";
import type { SampleRepo } from "../test/support/fixtures/sample-repo.ts";
import type { Files } from "../test/support/fixtures/work-tree.ts";
import type { World } from "../test/support/world/world.ts";

/** Nothing but the files. */
const BARE = "FROM scratch\nCOPY . /app\n";

/** A Dockerfile as services have them: on a base image, with a step that runs, and with what whoever starts it should know. */
export async function usualDockerfile({ engine, second }: World): Promise<string> {
  const base = `${second.host}/base/shell:1`;
  await importShell(engine.docker, base);
  await promisify(execFile)("docker", [`--host=unix://${engine.socket}`, "push", "--quiet", base]);
  return `FROM ${base}
WORKDIR /app
COPY . .
RUN find . -type f > /tmp/files.txt
ENV STAGE=production
EXPOSE 8080
USER 1000
CMD ["sleep", "1d"]
`;
}

/** 30 files of 4 kB. */
export async function fillSmall(repo: SampleRepo, dockerfile = BARE): Promise<void> {
  await repo.commit({ Dockerfile: dockerfile, ...filesOf(30, 0, 4_000) }, "Fill");
}

/** 5,000 files of 9 kB, and twenty commits that changed 300 of them each: a pack of about 80 MB, of which the tip is a half. */
export async function fillLarge(repo: SampleRepo, dockerfile = BARE): Promise<void> {
  await repo.commit({ Dockerfile: dockerfile, ...filesOf(5_000, 0, 9_000) }, "Fill");
  for (let past = 1; past <= 20; past++) {
    const changed = Object.entries(filesOf(5_000, past, 9_000)).filter((_, index) => (index + past) % 16 === 0);
    await repo.commit(Object.fromEntries(changed), `Change ${changed.length} files`);
  }
}

let changes = 1_000;

/** One file of the tree becomes another that never was before, so that no builder has it in its cache. */
export async function changeOne(repo: SampleRepo): Promise<void> {
  await repo.commit({ [pathOf(7)]: contentOf(7, changes++, 4_000) }, "Change one file");
}

function filesOf(count: number, edition: number, bytes: number): Files {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [pathOf(index), contentOf(index, edition, bytes)]),
  );
}

function pathOf(index: number): string {
  return `src/part-${Math.floor(index / 100)}/file-${index}.txt`;
}

/** Text that packs to three quarters, as no two files of a real repo are alike, and the same at every run. */
function contentOf(index: number, edition: number, bytes: number): string {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(index);
  key.writeDoubleBE(edition, 4);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  return cipher
    .update(Buffer.alloc(Math.ceil((bytes * 3) / 4)))
    .toString("base64")
    .replace(/.{76}/g, "$&\n");
}
