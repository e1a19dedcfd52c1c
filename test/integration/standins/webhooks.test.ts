import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { Webhooks } from "@octokit/webhooks";
import { objectAt } from "../../support/hosts/github/json.ts";
import { payloadMistakes } from "../../support/hosts/github/openapi.ts";
import { until } from "../../support/processes/process.ts";
import { endScene, type Scene, startScene } from "./support.ts";

const zero = "0".repeat(40);
const secret = "hush";

interface Received {
  event: string;
  headers: IncomingHttpHeaders;
  body: string;
}

describe("The webhooks of the GitHub stand-in", () => {
  let scene: Scene;
  let receiver: Server;
  let url: string;
  let received: Received[];

  beforeEach(async () => {
    received = [];
    receiver = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      received.push({ event: String(request.headers["x-github-event"]), headers: request.headers, body });
      response.writeHead(202).end("kept");
    });
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const address = receiver.address();
    assert.ok(address !== null && typeof address === "object");
    url = `http://127.0.0.1:${address.port}/webhooks/github`;
    scene = await startScene();
    scene.github.sendHooksTo(url, secret);
  });
  afterEach(async () => {
    await endScene(scene);
    const gone = once(receiver, "close");
    receiver.close();
    receiver.closeAllConnections();
    await gone;
    assert.deepEqual(scene.github.violations, []);
  });

  const events = () => received.map((one) => one.event);
  const lastPayload = () => JSON.parse(received.at(-1)?.body ?? "null");

  it("are verified by octokit, and only with the right secret and body", async () => {
    await scene.github.green(scene.repo, scene.sha, { check: "test", status: "ci/lint" });

    assert.equal(received.length, 4);
    for (const { body, headers } of received) {
      const signature = String(headers["x-hub-signature-256"]);
      assert.equal(await new Webhooks({ secret }).verify(body, signature), true);
      assert.equal(await new Webhooks({ secret: "other" }).verify(body, signature), false);
      assert.equal(await new Webhooks({ secret }).verify(`${body} `, signature), false);
      assert.match(String(headers["user-agent"]), /^GitHub-Hookshot\//);
      assert.match(String(headers["x-github-delivery"]), /^[0-9a-f-]{36}$/);
    }
  });

  it("report a branch that is created, moved, forced back and deleted", async () => {
    await scene.repo.branch("topic");
    const second = await scene.repo.commit({ "b.txt": "b\n" }, "Add b");
    await scene.repo.push();
    assert.deepEqual(events(), ["create", "push"]);
    const made = lastPayload();
    assert.deepEqual([made.ref, made.before, made.after, made.created], ["refs/heads/topic", zero, second, true]);
    assert.deepEqual(
      made.commits.map((commit: { id: string; message: string; added: string[] }) => [
        commit.id,
        commit.message,
        commit.added,
      ]),
      [[second, "Add b", ["b.txt"]]],
    );
    assert.deepEqual([made.repository.id, made.repository.full_name], [scene.repo.repo.id, "acme/api"]);

    const third = await scene.repo.commit({ "b.txt": null, "a.txt": "A\n" });
    await scene.repo.push();
    const moved = lastPayload();
    assert.deepEqual([moved.before, moved.after, moved.created, moved.forced], [second, third, false, false]);
    assert.deepEqual([moved.head_commit.removed, moved.head_commit.modified], [["b.txt"], ["a.txt"]]);

    await scene.repo.reset(second);
    await scene.repo.forcePush();
    assert.deepEqual([lastPayload().before, lastPayload().after, lastPayload().forced], [third, second, true]);

    await scene.repo.checkout("main");
    await scene.repo.deleteRemote("topic");
    const gone = lastPayload();
    assert.deepEqual([gone.before, gone.after, gone.deleted, gone.head_commit], [second, zero, true, null]);
    assert.deepEqual(events(), ["create", "push", "push", "push", "push"]);
  });

  it("report a lightweight tag by its commit, and an annotated one by its tag object", async () => {
    await scene.repo.tag("v1.0.0");
    await scene.repo.tag("v1.0.1", { annotated: true });
    await scene.repo.push("v1.0.0", "v1.0.1");

    const [, light, , annotated] = received.map(({ body }) => JSON.parse(body));
    assert.deepEqual([light.ref, light.after, light.head_commit.id], ["refs/tags/v1.0.0", scene.sha, scene.sha]);
    const tagObject = await scene.repo.git("rev-parse", "v1.0.1");
    assert.notEqual(tagObject, scene.sha);
    assert.deepEqual([annotated.after, annotated.head_commit.id, annotated.commits], [tagObject, scene.sha, []]);
  });

  it("report CI that ends, in the state that the API shows", async () => {
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "lint", status: "in_progress" });
    await scene.github.green(scene.repo, scene.sha);
    assert.deepEqual(events(), ["check_run"], "a suite is not over while one of its runs goes on");

    await scene.github.red(scene.repo, scene.sha, { check: "lint", status: "ci/build" });
    assert.deepEqual(events().slice(1), ["check_run", "check_suite", "workflow_run", "status"]);
    const [, run, suite, workflow, status] = received.map(({ body }) => JSON.parse(body));
    assert.deepEqual(
      [run.check_run.name, run.check_run.conclusion, run.check_run.head_sha],
      ["lint", "failure", scene.sha],
    );
    assert.deepEqual([suite.check_suite.conclusion, suite.check_suite.head_sha], ["failure", scene.sha]);
    assert.deepEqual([workflow.workflow_run.conclusion, workflow.workflow_run.head_sha], ["failure", scene.sha]);
    assert.deepEqual([status.context, status.state, status.sha], ["ci/build", "failure", scene.sha]);
  });

  it("report a status that was set through the API like any other", async () => {
    await fetch(`${scene.github.apiUrl}/repos/acme/api/statuses/${scene.sha}`, {
      method: "POST",
      headers: { authorization: `Bearer ${scene.github.token}` },
      body: JSON.stringify({ state: "success", context: "deliverd/api" }),
    });

    await until("the status came back", () => received.length > 0);
    assert.deepEqual([events(), lastPayload().context], [["status"], "deliverd/api"]);
  });

  it("can be lost, and sent again later under the same id", async () => {
    scene.github.webhooksOff = true;
    const [lost] = await scene.github.green(scene.repo, scene.sha);
    assert.ok(lost);
    assert.deepEqual([received, lost.answer], [[], null]);

    scene.github.webhooksOff = false;
    assert.deepEqual(await scene.github.redeliver(lost), { status: 202, body: "kept" });
    await scene.github.redeliver(lost);
    assert.deepEqual(
      received.map((one) => one.headers["x-github-delivery"]),
      [lost.id, lost.id],
    );
  });

  it("can be sent by hand: any payload, any secret, any id", async () => {
    const payload = await scene.github.webhook("ping", scene.repo, {});
    const answer = await scene.github.send(
      url,
      "another",
      "ping",
      { ...payload, zen: "é\u0000" },
      { deliveryId: "twice" },
    );

    assert.deepEqual(
      [answer.status, received[0]?.headers["x-github-delivery"], lastPayload().zen],
      [202, "twice", "é\u0000"],
    );
    const [one] = received;
    assert.ok(one);
    assert.equal(
      await new Webhooks({ secret: "another" }).verify(one.body, String(one.headers["x-hub-signature-256"])),
      true,
    );
  });

  it("have the status 0 if the receiver does not answer, as in GitHub's list of deliveries", async () => {
    scene.github.sendHooksTo("http://127.0.0.1:1/", secret);

    const [delivery] = await scene.github.green(scene.repo, scene.sha);
    assert.equal(delivery?.answer?.status, 0);
  });

  it("contain all that GitHub's description requires, as a planted mistake proves", async () => {
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "test" });
    scene.github.setStatus(scene.repo, scene.sha, { context: "ci", state: "pending" });
    const all = [
      [
        "push",
        await scene.github.webhook("push", scene.repo, { ref: "refs/heads/main", before: zero, after: scene.sha }),
      ],
      ["create", await scene.github.webhook("create", scene.repo, { ref: "refs/heads/main" })],
      ["status", await scene.github.webhook("status", scene.repo, { sha: scene.sha, context: "ci" })],
      [
        "check-run-created",
        await scene.github.webhook("check_run", scene.repo, { sha: scene.sha, name: "test", action: "created" }),
      ],
      ["check-run-completed", await scene.github.webhook("check_run", scene.repo, { sha: scene.sha, name: "test" })],
      [
        "check-suite-requested",
        await scene.github.webhook("check_suite", scene.repo, { sha: scene.sha, action: "requested" }),
      ],
      ["check-suite-completed", await scene.github.webhook("check_suite", scene.repo, { sha: scene.sha })],
      [
        "workflow-run-requested",
        await scene.github.webhook("workflow_run", scene.repo, { sha: scene.sha, action: "requested" }),
      ],
      [
        "workflow-run-in-progress",
        await scene.github.webhook("workflow_run", scene.repo, { sha: scene.sha, action: "in_progress" }),
      ],
      ["workflow-run-completed", await scene.github.webhook("workflow_run", scene.repo, { sha: scene.sha })],
      ["ping", await scene.github.webhook("ping", scene.repo, {})],
    ] as const;

    for (const [name, payload] of all) {
      assert.deepEqual(payloadMistakes(name, payload), [], name);
      assert.equal(objectAt(payload, "repository").full_name, "acme/api", name);
      assert.doesNotMatch(JSON.stringify(payload), /Codertocat\/Hello-World|octo-org\/octo-repo/, name);
      const planted = { ...payload, repository: { ...objectAt(payload, "repository"), id: "one" } };
      assert.notDeepEqual(payloadMistakes(name, planted), [], name);
    }
    await assert.rejects(
      scene.github.webhook("status", scene.repo, { sha: scene.sha, context: "none" }),
      /no status none/,
    );
  });
});
