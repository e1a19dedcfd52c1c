import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { greetingDockerfile } from "../../support/fixtures/sample-repo.ts";
import { git } from "../../support/hosts/git.ts";
import { until } from "../../support/processes/process.ts";
import { image, pipeline, WEBHOOK_SECRET, type World } from "../../support/world/world.ts";

export function hostileRefs(world: () => World): void {
  it("releases each commit under a valid tag, and never takes a name for an option, a command or markup", async () => {
    const canary = `deliverd-canary-${process.pid}`;
    const file = join(tmpdir(), canary);
    const names = [
      `--upload-pack=touch\${IFS}${file}`,
      "-u",
      "--output=x",
      "-",
      "--",
      `$(touch\${IFS}${file})`,
      `\`touch\${IFS}${file}\``,
      `;touch\${IFS}${file};`,
      `|touch\${IFS}${file}`,
      `ext@sh%20-c%20touch%20${canary}`,
      "HEAD",
      "refs/heads/main",
      "<script>alert(1)</script>",
      `"'><img/src=x/onerror=alert(1)>`,
      "{{7+7}}$" + "{7+7}",
      "%00%0a%2e%2e%2f",
      "__proto__",
      "constructor/prototype",
      "\u202etxt.exe",
      "\u2028line",
      "\u009b31m",
      "İstanbul-ß-🜁-e\u0301",
      "0".repeat(40),
      "x".repeat(200),
    ];
    const repo = await world().repo("refs", {
      ".deliverd.yml": pipeline([image("refs")], { on: { branches: ["**"] }, ci: "none" }),
      Dockerfile: `${greetingDockerfile}ARG DELIVERD_REF\nENV REF=$DELIVERD_REF\n`,
    });
    const sha = await repo.head();
    await repo.git("push", "--quiet", repo.repo.directory, "HEAD:refs/heads/main");
    for (const name of names) await git(repo.repo.directory, ["update-ref", `refs/heads/${name}`, sha]);
    for (const name of ["main", ...names]) await world().github.push(repo.repo, `refs/heads/${name}`);
    // git itself refuses those with spaces, line ends and NUL: only a webhook can bear them.
    const [push] = world().github.hooks.filter(({ payload }) => JSON.stringify(payload).includes("acme/refs"));
    for (const name of ["a\nb", "a\r\nx-evil: 1", "a b", "a\u0000b", "\u001b[31m", "..", "x.lock"]) {
      const { status } = await world().github.send(`${world().deliverd.url}/webhooks/github`, WEBHOOK_SECRET, "push", {
        ...push?.payload,
        ref: `refs/heads/${name}`,
      });
      assert.ok(status === 202 || status === 400, `${JSON.stringify(name)}: ${status}`);
    }

    await world().status(repo, sha, "refs", "success");
    // One with a control character is no ref for us, though git takes it.
    const wanted = names.filter((name) => !/\p{Cc}/u.test(name)).map(asTag);
    await until(
      "every branch has its name in the registry",
      async () => {
        const tags = new Set(await world().tags("acme/refs"));
        return wanted.every((name) => tags.has(name));
      },
      60_000,
    );
    const releases = await world().releases(repo, sha);
    assert.equal(releases.length, 1);
    for (const tag of await world().tags("acme/refs"))
      assert.equal(await world().digest("acme/refs", tag), releases[0]?.digest, tag);
    const left = [tmpdir(), process.cwd(), world().deliverd.dataDir, repo.repo.directory];
    for (const place of left)
      assert.deepEqual(
        (await readdir(place)).filter((each) => each.includes(canary)),
        [],
      );
  });
}

/** As the documentation says of the characters that a tag cannot have. */
function asTag(name: string): string {
  return name
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[.-]/, "_")
    .slice(0, 128);
}
