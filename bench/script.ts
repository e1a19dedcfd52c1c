import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { tempDir } from "../test/support/processes/process.ts";
import type { World } from "../test/support/world/world.ts";

const run = promisify(execFile);

export type Builder = "classic" | "buildkit";

/** What people write before they have a delivery daemon. */
export interface Script {
  /** Where it pushes to. */
  repository: string;
  /** Builds the branch's tip, which must be `tag`, and pushes it under that tag. */
  run(builder: Builder, tag: string): Promise<void>;
  remove(): Promise<void>;
}

const text = `set -e
git -c "http.extraHeader=$AUTHORIZATION" clone --quiet --depth 1 "$URL" "$WORK"
docker build --quiet --network host --tag "$IMAGE" "$WORK"
docker push --quiet "$IMAGE"
`;

export async function startScript(world: World, repo: SampleRepo): Promise<Script> {
  const dir = await tempDir();
  const repository = `${repo.owner}/${repo.name}`;
  let count = 0;
  return {
    repository,
    async run(builder, tag) {
      const work = join(dir.path, `${count++}`);
      await run("sh", ["-c", text], {
        env: {
          ...environmentOf(world, dir.path, builder),
          URL: `${world.github.cloneUrl}/${repository}.git`,
          IMAGE: `${world.second.host}/${repository}:${tag}`,
          WORK: work,
        },
      });
    },
    remove: () => dir.remove(),
  };
}

/** What every script of a peer needs to reach what deliverd reaches. */
export function environmentOf(world: World, home: string, builder: Builder): Record<string, string> {
  return {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: home,
    DOCKER_HOST: `unix://${world.engine.socket}`,
    DOCKER_BUILDKIT: builder === "buildkit" ? "1" : "0",
    GIT_TERMINAL_PROMPT: "0",
    AUTHORIZATION: `Authorization: Basic ${Buffer.from(`x-access-token:${world.github.token}`).toString("base64")}`,
  };
}
