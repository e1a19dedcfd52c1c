import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate, Repo } from "../../../src/delivery/types.ts";
import { BadSignature, type Hint, type Host, MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";
import type { HostExamples } from "../../support/hosts/examples/host-examples.ts";
import { describeExamples } from "./describe-examples.ts";

/** What a test of the contract needs of a host's stand-in. A kit shares no code with the adapter that it tests. */
export interface HostKit {
  host: Host;
  /** As deliverd knows it, with `main` as its default branch. */
  repo: Repo;
  /** The secret of the webhooks that the stand-in sends, and others that must not show anywhere. */
  secrets: { webhook: string; token: string };
  /** The lower-case name of the header with the signature. */
  signatureHeader: string;
  /** A signature over the body by an algorithm that the host never uses; null: the host signs by no algorithm. */
  signOtherwise(body: Buffer): string | null;
  /** The request with another body and the signature of it. Left out: the signature ends in the HMAC of the body, in hex. */
  resign?(request: RawWebhook, body: Buffer): RawWebhook;
  /** The most items on one page of the host's lists. */
  pageSize: number;
  /** From now on webhooks are sent there. */
  sendHooksTo(url: string): void;
  /** Commits, pushes to `main` and returns the sha; the webhook has been sent. */
  push(): Promise<string>;
  /** Pushes a tag on the head of `main`. */
  tag(name: string, options: { annotated: boolean }): Promise<void>;
  /** Pushes a branch and deletes it again. */
  pushAndDelete(branch: string): Promise<void>;
  /** CI reports, or changes or re-runs what it reported under this name. A webhook is sent where the host sends one. */
  setCheck(sha: string, name: string, state: "pending" | "passed" | "failed"): Promise<void>;
  /** Left out: the host does not tell which checks it requires. */
  requireChecks?(branch: string, names: string[]): Promise<void>;
  /** The states that the host shows of our reports under a context, the oldest first; in the host's words. */
  reportsOn(sha: string, context: string): Promise<string[]>;
  /** Null: a repo of this host cannot get another name under its id. */
  rename: ((to: string) => Promise<void>) | null;
  /** Whether the webhooks that `sendHooksTo` receives say at once that a repo has another name. */
  tellsRenames: boolean;
  /**
   * The next so many requests fail. `cut`: the connection ends without an answer; `half`: in the middle of an answer
   * whose first half is `[]`. `times: 0`: none fails any more.
   */
  fail(fault: { status: number | "cut" | "half"; headers?: Record<string, string>; times: number }): void;
  /** False: the results of CI are sent to deliverd, so no answer of the host says them. Left out: true. */
  tellsCi?: false;
  /** Headers of an answer that says: wait for this many seconds. Null: the host has no such header. */
  limitHeaders(seconds: number): Record<string, string> | null;
  close(): Promise<void>;
}

const NOW = Date.UTC(2026, 0, 1);
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: 3_600_000 };
const UNKNOWN_SHA = "5".repeat(40);

/**
 * Holds an adapter to the port (`src/hosts/host.ts`), whatever host it is for.
 * @param examples the webhooks of this type, which the fuzzer uses too
 */
export function describeHost(name: string, examples: HostExamples, start: () => Promise<HostKit>): void {
  describeExamples(name, examples);
  describe(`the contract of hosts: ${name}`, function () {
    this.timeout(60_000);
    let kit: HostKit;
    let hooks: HookCatcher;

    before(async () => {
      hooks = await catchHooks();
      kit = await start();
      kit.sendHooksTo(hooks.url);
    });
    after(async () => {
      await kit?.close();
      hooks?.server.close();
    });
    beforeEach(() => hooks.caught.splice(0));

    const hintsOf = async (requests: RawWebhook[]): Promise<Hint[]> => {
      const readings = await Promise.all(requests.map((request) => kit.host.readHints(request)));
      return readings.flatMap((reading) => ("ignored" in reading ? [] : reading.hints));
    };
    const oneHook = async (): Promise<RawWebhook> => {
      await kit.push();
      const [request] = hooks.caught;
      assert.ok(request, "a push sends a webhook");
      return request;
    };
    const verdict = async (sha: string, gate: Partial<Gate> = {}, branches: string[] = []) => {
      const asked = await kit.host.ciState({ repo: kit.repo, sha }, { ...GATE, ...gate }, branches, NOW + 10 ** 12);
      return asked.verdict;
    };

    describe("webhooks", () => {
      it("are refused without their signature, and with one that is empty, cut, wrong or of another secret", async () => {
        const request = await oneHook();
        const header = kit.signatureHeader;
        const right = String(request.headers[header]);
        // Another digit in the middle of the digest, whatever its encoding.
        const middle = right.length - 20;
        const foreign = right.slice(0, middle) + (right[middle] === "0" ? "1" : "0") + right.slice(middle + 1);
        const wrong: (string | undefined)[] = [undefined, "", " ", right.slice(0, -1), `${right}0`, foreign];
        wrong.push(right.replace(/^.*[=,]/, ""), right.replace(/^(.*[=,]).*$/, "$1"), `${foreign}, ${foreign}`);
        const other = kit.signOtherwise(request.body);
        if (other !== null) wrong.push(other);
        for (const value of wrong) {
          if (value === right) continue;
          const headers = { ...request.headers, [header]: value };
          await assert.rejects(kit.host.readHints({ ...request, headers }), BadSignature, JSON.stringify(value));
        }
      });

      it("are refused with the signature in another header, or of another body", async () => {
        const request = await oneHook();
        const { [kit.signatureHeader]: signature, ...headers } = request.headers;
        const bare = Object.fromEntries(Object.entries(headers).filter(([key]) => !/signature|token/.test(key)));
        const elsewhere = { ...bare, "x-signature": signature, authorization: String(signature) };
        await assert.rejects(kit.host.readHints({ ...request, headers: elsewhere }), BadSignature);
        if (kit.signOtherwise(request.body) === null) return;
        const body = Buffer.concat([request.body, Buffer.from(" ")]);
        await assert.rejects(kit.host.readHints({ ...request, body }), BadSignature);
        await assert.rejects(kit.host.readHints({ ...request, body: Buffer.alloc(0) }), BadSignature);
      });

      it("show no secret in the error of a refusal", async () => {
        const request = await oneHook();
        const error = await kit.host.readHints({ ...request, headers: {} }).catch((caught: Error) => caught);
        assert.ok(error instanceof BadSignature);
        assert.ok(!error.message.includes(kit.secrets.webhook));
      });

      it("of a push name the repo, the branch and the commit", async () => {
        const sha = await kit.push();
        const [hint] = await hintsOf(hooks.caught);
        assert.deepEqual([hint?.ref, hint?.sha], ["refs/heads/main", sha]);
        assert.equal(`${kit.repo.host}:${hint?.repo.hostId}`, kit.repo.id);
        assert.deepEqual([hint?.repo.owner, hint?.repo.name], [kit.repo.owner, kit.repo.name]);
      });

      it("of a tag name the commit, or none where they may name the tag's own object", async () => {
        const sha = await kit.push();
        for (const annotated of [false, true]) {
          hooks.caught.splice(0);
          await kit.tag(`v1.0.${Number(annotated)}`, { annotated });
          const hints = (await hintsOf(hooks.caught)).filter(
            ({ ref }) => ref === `refs/tags/v1.0.${Number(annotated)}`,
          );
          assert.ok(hints.length > 0, "a tag is a hint");
          for (const hint of hints) assert.ok(hint.sha === sha || hint.sha === null, String(hint.sha));
        }
      });

      it("of a deleted branch name the ref and no commit", async () => {
        await kit.push();
        hooks.caught.splice(0);
        await kit.pushAndDelete("short-lived");
        const last = (await hintsOf(hooks.caught)).filter(({ ref }) => ref === "refs/heads/short-lived").at(-1);
        if (last !== undefined) assert.equal(last.sha, null);
      });

      it("of CI name the commit, where the host sends them", async () => {
        const sha = await kit.push();
        hooks.caught.splice(0);
        await kit.setCheck(sha, "test", "passed");
        const hints = await hintsOf(hooks.caught);
        if (kit.host.sendsCiEvents === false) assert.deepEqual(hints, []);
        else assert.ok(hints.some((hint) => hint.sha === sha));
      });

      it("of a push name the new name after a rename, and so does a webhook of the rename where there is one", async () => {
        if (kit.rename === null) return;
        const { name } = kit.repo;
        await kit.push();
        hooks.caught.splice(0);
        await kit.rename("moved");
        const told = await hintsOf(hooks.caught);
        if (kit.tellsRenames) assert.ok(told.length > 0, "the rename is told");
        hooks.caught.splice(0);
        await kit.push();
        const pushed = await hintsOf(hooks.caught);
        await kit.rename(name);
        assert.ok(pushed.length > 0);
        for (const { repo } of [...told, ...pushed]) {
          assert.deepEqual([`${kit.repo.host}:${repo.hostId}`, repo.name], [kit.repo.id, "moved"]);
        }
      });

      it("that come twice say the same", async () => {
        const request = await oneHook();
        assert.deepEqual(await kit.host.readHints(request), await kit.host.readHints(request));
      });

      it("that are lost hide nothing: without one the host tells the same of the commit", async () => {
        const server = createServer((_request, response) => response.writeHead(503).end());
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        try {
          kit.sendHooksTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
          const sha = await kit.push();
          await kit.setCheck(sha, "test", "failed");
          assert.equal(await verdict(sha), "red");
          await kit.setCheck(sha, "test", "passed");
          assert.equal(await verdict(sha), "green");
        } finally {
          kit.sendHooksTo(hooks.url);
          server.close();
        }
        assert.deepEqual(hooks.caught, []);
      });

      it("that are well signed and no JSON are malformed, not badly signed", async () => {
        const request = await oneHook();
        const sign = (body: string) => (kit.resign ?? hooks.resign(kit))(request, Buffer.from(body));
        const broken = sign("{");
        if (broken !== null) await assert.rejects(kit.host.readHints(broken), MalformedWebhook);
      });
    });

    describe("the CI state", () => {
      it("follows what CI reports: none, pending, red, and green after a re-run", async () => {
        const sha = await kit.push();
        assert.equal(await verdict(sha), "none");
        await kit.setCheck(sha, "test", "pending");
        assert.equal(await verdict(sha), "pending");
        await kit.setCheck(sha, "test", "failed");
        assert.equal(await verdict(sha), "red");
        await kit.setCheck(sha, "test", "pending");
        await kit.setCheck(sha, "test", "passed");
        assert.equal(await verdict(sha), "green");
      });

      it("counts every page: the one check that failed is found behind a page of others", async () => {
        const sha = await kit.push();
        await kit.setCheck(sha, "first", "failed");
        for (let i = 0; i < kit.pageSize; i++) await kit.setCheck(sha, `check ${i}`, "passed");
        assert.equal(await verdict(sha), "red");
        await kit.setCheck(sha, `last`, "failed");
        await kit.setCheck(sha, "first", "passed");
        assert.equal(await verdict(sha), "red");
      });

      it("of required checks waits for one that is not reported yet", async () => {
        const sha = await kit.push();
        await kit.setCheck(sha, "lint", "passed");
        assert.equal(await verdict(sha, { required: ["lint", "te*"] }), "pending");
        await kit.setCheck(sha, "test", "passed");
        assert.equal(await verdict(sha, { required: ["lint", "te*"] }), "green");
      });

      it("holds to what the host requires on the branch, where it tells", async () => {
        if (kit.requireChecks === undefined) return;
        const sha = await kit.push();
        await kit.requireChecks("main", ["test"]);
        await kit.setCheck(sha, "docs", "failed");
        assert.equal(await verdict(sha, {}, ["main"]), "pending");
        await kit.setCheck(sha, "test", "passed");
        assert.equal(await verdict(sha, {}, ["main"]), "green");
      });

      it("leaves our own reports out", async () => {
        const sha = await kit.push();
        await kit.setCheck(sha, "test", "passed");
        await kit.host.report({ repo: kit.repo, sha }, report("failure"));
        assert.equal(await verdict(sha), "green");
      });

      it("of a commit that the host lacks is refused, and nothing is concluded from it", async () => {
        if (kit.tellsCi === false) return;
        await assert.rejects(verdict(UNKNOWN_SHA), (error) => error instanceof Refused && error.code === "commit-gone");
      });

      it("is not concluded from an answer of 5xx, a cut connection, half an answer or a rate limit", async () => {
        if (kit.tellsCi === false) return;
        const sha = await kit.push();
        await kit.setCheck(sha, "test", "passed");
        const faults: Parameters<HostKit["fail"]>[0][] = [
          { status: 503, times: 20 },
          { status: "cut", times: 20 },
          { status: "half", times: 20 },
          { status: 429, times: 20 },
        ];
        for (const fault of faults) {
          kit.fail(fault);
          await assert.rejects(verdict(sha), TransientError, JSON.stringify(fault));
          kit.fail({ ...fault, times: 0 });
        }
        assert.equal(await verdict(sha), "green");
      });

      it("waits as long as the host asks, where it does", async () => {
        const headers = kit.limitHeaders(90);
        if (headers === null) return;
        const sha = await kit.push();
        kit.fail({ status: 429, headers, times: 20 });
        const error = await verdict(sha).catch((caught: unknown) => caught);
        kit.fail({ status: 429, times: 0 });
        assert.ok(error instanceof TransientError);
        assert.ok((error.retryAfter ?? 0) >= 85_000, `${error.retryAfter} ms`);
      });
    });

    describe("reports", () => {
      it("show the newest state, and the same report twice shows nothing new", async () => {
        const sha = await kit.push();
        const commit = { repo: kit.repo, sha };
        await kit.host.report(commit, report("pending"), { last: null, isRepeat: false });
        await kit.host.report(commit, report("success"), { last: report("pending"), isRepeat: false });
        const before = await kit.reportsOn(sha, "deliverd/api");
        await kit.host.report(commit, report("success"), { last: report("success"), isRepeat: true });
        const states = await kit.reportsOn(sha, "deliverd/api");
        assert.equal(states.at(-1), before.at(-1));
        if (kit.host.appendsReports) assert.deepEqual(states, before);
      });

      it("on a commit that the host lacks are refused, and are to be tried again while the host is down", async () => {
        const unknown = { repo: kit.repo, sha: UNKNOWN_SHA };
        await assert.rejects(kit.host.report(unknown, report("success")), Refused);
        const sha = await kit.push();
        kit.fail({ status: 502, times: 20 });
        await assert.rejects(kit.host.report({ repo: kit.repo, sha }, report("success")), TransientError);
        kit.fail({ status: 502, times: 0 });
      });
    });

    describe("repos", () => {
      it("are found by name and listed by owner; what is not there is null, or an empty list", async () => {
        const { owner, name } = kit.repo;
        const found = await kit.host.findRepo(owner, name);
        assert.equal(`${kit.repo.host}:${found?.hostId}`, kit.repo.id);
        assert.equal(found?.defaultBranch, "main");
        const listed = await kit.host.listRepos(owner);
        if (kit.host.listsRepos === false) assert.deepEqual(listed, []);
        else assert.ok(listed.some(({ hostId }) => hostId === found?.hostId));
        assert.equal(await kit.host.findRepo(owner, "no-such-repo"), null);
        assert.deepEqual(await kit.host.listRepos("no-such-owner"), []);
      });

      it("are cloned by a URL without credentials", async () => {
        const { url, authorization } = await kit.host.cloneSource(kit.repo);
        assert.ok(!url.includes(kit.secrets.token) && !url.includes("@"), url);
        assert.match(authorization ?? "", /^(?:Basic|Bearer) /);
      });

      it("keep their id after a rename: by the old name, or by the id", async () => {
        if (kit.rename === null) return;
        const { owner, name } = kit.repo;
        await kit.rename("renamed");
        const hostId = kit.repo.id.slice(kit.repo.host.length + 1);
        const found = (await kit.host.findRepoById?.(hostId)) ?? (await kit.host.findRepo(owner, name));
        assert.deepEqual([found?.hostId, found?.name], [hostId, "renamed"]);
        await kit.rename(name);
      });
    });
  });
}

function report(state: "pending" | "success" | "failure") {
  const targetUrl = "https://deliverd.example.com/deliveries/d";
  return { context: "deliverd/api", state, description: `it is ${state}`, targetUrl };
}

interface HookCatcher {
  url: string;
  server: Server;
  /** The webhooks that came, the oldest first. */
  caught: RawWebhook[];
  /** The request with another body, rightly signed by HMAC-SHA256 in hex; null where the host signs otherwise. */
  resign(kit: HostKit): (request: RawWebhook, body: Buffer) => RawWebhook | null;
}

/** Takes webhooks over a real socket, as the receiver does. */
async function catchHooks(): Promise<HookCatcher> {
  const caught: RawWebhook[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    caught.push({ headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(202).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    server,
    caught,
    resign:
      ({ signatureHeader, secrets }) =>
      (request, body) => {
        const hmac = (of: Buffer) => createHmac("sha256", secrets.webhook).update(of).digest("hex");
        const signature = String(request.headers[signatureHeader]);
        if (!signature.endsWith(hmac(request.body))) return null;
        const renewed = signature.slice(0, -64) + hmac(body);
        return { headers: { ...request.headers, [signatureHeader]: renewed }, body };
      },
  };
}
