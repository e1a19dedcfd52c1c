import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { SampleRepo } from "../../support/fixtures/sample-repo.ts";
import { git } from "../../support/hosts/git.ts";
import { until } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { image, pipeline, type World } from "../../support/world/world.ts";
import { said, whyOf } from "./support.ts";

const run = promisify(execFile);

const MARKUP = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`;
/** Clears the screen, sets the window's title, paints red, goes to the line's start, as C0, as C1, and turns text around. */
const STEERING = "\u001b[2J\u001b]0;owned\u0007\u001b[31mred\rover\u009b31m\u202egnp\u2066\u0008";
/** What no output may hold: whatever steers a terminal, or shows text in another order than it has. */
const STEERS = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u;

/** `logs --follow` ends with 1 where the delivery failed. @throws any other end */
function endedWithOne(error: unknown): { stdout: string; stderr: string } {
  const { code, stdout, stderr } = error as { code?: unknown; stdout: string; stderr: string };
  if (code !== 1) throw error;
  return { stdout, stderr };
}

export function hostileText(world: () => World): void {
  it("shows hostile messages, authors, branches and build output as plain text in every output", async () => {
    const repo = await world().repo("text");
    const branch = `${MARKUP.replaceAll(" ", "/")}\u202egnp`;
    await repo.commit({
      ".deliverd.yml": pipeline([image("text")], { on: { branches: ["**"] }, ci: "none" }),
      Dockerfile: 'FROM scratch\nCOPY busybox say.txt /\nRUN ["/busybox", "cat", "/say.txt"]\n',
      "say.txt": `first ${MARKUP}\n${STEERING}\n</pre></main>${MARKUP}\nevent: end\ndata: forged\n\nlast line\n`,
    });
    const author = `Mallory ${STEERING.replaceAll(/[\r\n]/g, "")} ${MARKUP.replaceAll(/[<>]/g, "|")} <m@example.com>`;
    const message = `${MARKUP} ${STEERING}\r\nx-evil: 1\n\nbody`;
    await repo.git("commit", "--quiet", "--amend", "--allow-empty", "--author", author, "--message", message);
    const sha = await repo.head();
    await repo.git("push", "--quiet", repo.repo.directory, `HEAD:refs/heads/${branch}`);
    await git(repo.repo.directory, ["show-ref", "--verify", `refs/heads/${branch}`]);
    await world().github.push(repo.repo, `refs/heads/${branch}`);
    await world().status(repo, sha, "text", "success");
    await until("it has ended", async () => (await world().delivery(repo, sha)).state === "delivered");
    assert.match(await world().log(repo, sha), /first <script>[\s\S]*last line/);
    await assertPlain(repo, sha);
    await assertPlainInTerminal(repo, sha);
    // Each record of the daemon's log is one line of JSON.
    for (const line of world().deliverd.output().trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
  });

  it("shows a hostile pipeline file as plain text in the errors that quote it", async () => {
    const quoted = JSON.stringify(`${MARKUP}${STEERING}`);
    const repo = await world().repo("quoted", { ".deliverd.yml": pipeline([image("quoted")]) });
    const files = [
      `version: 1\nartifacts: [{ name: ${quoted}, kind: image, publish: [{ to: local, as: a/b }] }]\n`,
      `version: 1\nartifacts: [{ name: x, kind: image, publish: [{ to: ${quoted}, as: a/b }] }]\n`,
      `version: 1\nartifacts: [{ name: x, kind: image, publish: [{ to: local, as: ${JSON.stringify(`${MARKUP}\u202e`.replaceAll(" ", ""))} }] }]\n`,
      `version: 1\n${quoted}: 1\nartifacts: [{ name: x, kind: image, publish: [{ to: local, as: a/b }] }]\n`,
    ];
    const shas: string[] = [];
    for (const [index, file] of files.entries()) {
      await repo.branch(`b${index}`, "main");
      shas.push(await repo.commit({ ".deliverd.yml": file }));
    }
    await repo.push(...files.map((_, index) => `b${index}`));
    for (const sha of shas) {
      await world().status(repo, sha, null, "failure");
      await assertPlain(repo, sha);
    }
    await assertPlainInTerminal(repo, shas.at(-1) ?? "");
  });

  async function assertPlain(repo: SampleRepo, sha: string): Promise<void> {
    const { deliverd } = world();
    const { id } = await world().delivery(repo, sha);
    for (const path of ["/", `/deliveries/${id}`]) {
      const answer = await deliverd.fetch(path);
      const whole = await answer.text();
      assert.doesNotMatch(whole, STEERS, path);
      // The pages' own script is a file of this server.
      const page = whole.replace(/<script type="module" src="\/assets\/[\w.-]+"><\/script><\/head>/, "</head>");
      // Nothing that was written by others makes a tag, an attribute or a script, and the policy lets none run.
      const tags = [...page.matchAll(/<([a-z!][^\s>]*)/gi)].map(([, name]) => name?.toLowerCase());
      assert.deepEqual(
        tags.filter((name) => name === "script" || name === "img"),
        [],
        path,
      );
      assert.match(
        answer.headers.get("content-security-policy") ?? "",
        /default-src 'none'.*script-src 'self'.*require-trusted-types-for 'script'/,
      );
    }
    const why = `/api/v1/why?repo=acme/${repo.name}&sha=${sha}`;
    for (const path of [why, "/api/v1/deliveries", "/api/v1/releases", `/api/v1/deliveries/${id}`]) {
      const answer = await deliverd.fetch(path);
      const text = await answer.text();
      assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
      assert.doesNotMatch(text, STEERS, path);
      assert.doesNotThrow(() => JSON.parse(text));
    }
    const log = `/api/v1/deliveries/${id}/log`;
    assert.doesNotMatch(await (await deliverd.fetch(log)).text(), STEERS);
    const stream = await (await deliverd.fetch(log, { headers: { accept: "text/event-stream" } })).text();
    assert.doesNotMatch(stream, STEERS);
    assert.deepEqual(
      [...stream.matchAll(/^event: (.*)$/gm)].map(([, name]) => name).filter((name) => name !== "log"),
      ["state", "end"],
    );
    for (const status of said(world(), repo, sha)) assert.doesNotMatch(status, /\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
    assert.ok((await whyOf(world(), repo, sha)).events.length > 0);
  }

  async function assertPlainInTerminal(repo: SampleRepo, sha: string): Promise<void> {
    const { deliverd } = world();
    const { id } = await world().delivery(repo, sha);
    const env = { ...process.env, DELIVERD_SERVER: deliverd.url, DELIVERD_TOKEN: deliverd.adminToken };
    const calls = [
      ["why", `acme/${repo.name}@${sha}`],
      ["logs", id],
      ["logs", "--follow", id],
      ["deliveries"],
      ["releases"],
    ];
    await Promise.all(
      calls.map(async (args) => {
        const { stdout, stderr } = await run(process.execPath, [BIN, ...args], { env }).catch(endedWithOne);
        assert.doesNotMatch(stdout + stderr, STEERS, args.join(" "));
      }),
    );
  }
}
