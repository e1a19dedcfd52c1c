import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { NewHint } from "../../../src/ledger/hints.ts";
import { createInbox, type Inbox, InboxFull, type InboxLimits } from "../../../src/receiver/inbox.ts";
import { until } from "../../support/processes/process.ts";

const repo = { id: "github:1", host: "github", owner: "acme", name: "api", defaultBranch: null } as const;
const hint = (sha: string): NewHint => ({ repo, event: "push", deliveryId: "d-1", ref: null, sha });

describe("The inbox", () => {
  /** The commits so far, and how to end the one that runs. */
  let commits: string[][];
  let end: () => void;
  let inbox: Inbox;

  const start = (limits?: InboxLimits) => {
    commits = [];
    inbox = createInbox((hints) => {
      commits.push(hints.map((one) => String(one.sha)));
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    }, limits);
  };

  it("commits hints together that come in consecutive turns of the event loop", async () => {
    start();
    const added = [inbox.add([hint("a")])];
    for (const sha of ["b", "c", "d"]) {
      added.push(inbox.add([hint(sha)]));
      await nextTurn();
    }
    await until("they are committed", () => commits.length > 0);
    assert.deepEqual(commits, [["a", "b", "c", "d"]]);
    end();
    await Promise.all(added);
    assert.equal(inbox.pending(), 0);
  });

  it("does not wait when no more hints come", async () => {
    start();
    const added = inbox.add([hint("a")]);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    assert.deepEqual(commits, [["a"]]);
    end();
    await added;
  });

  it("refuses hints beyond its limit, and accepts them again after a commit", async () => {
    start({ maxHints: 2 });
    const added = inbox.add([hint("a"), hint("b")]);
    await assert.rejects(inbox.add([hint("c")]), InboxFull);
    await until("they are being committed", () => commits.length === 1);
    await assert.rejects(inbox.add([hint("c")]), InboxFull);
    end();
    await added;
    const next = inbox.add([hint("c")]);
    await until("it is being committed", () => commits.length === 2);
    end();
    await next;
  });

  it("refuses hints when the first has waited too long, and accepts them again after a commit", async () => {
    start({ maxWaitMs: 20 });
    const added = inbox.add([hint("a")]);
    await until("it is being committed", () => commits.length === 1);
    let later: Promise<void>[] = [];
    await until("one is refused", async () => {
      const one = inbox.add([hint("b")]);
      const outcome = await Promise.race([one.catch((error: unknown) => error), nextTurn("taken")]);
      if (outcome === "taken") later = [...later, one];
      return outcome instanceof InboxFull;
    });
    end();
    await added;
    const ended = setInterval(() => end(), 1);
    await Promise.all(later);
    await inbox.add([hint("c")]);
    clearInterval(ended);
    assert.deepEqual(commits[0], ["a"]);
    assert.deepEqual(commits.at(-1), ["c"]);
  });
});
