import assert from "node:assert/strict";
import fc from "fast-check";
import { createMask } from "../../../src/observe/mask.ts";
import { createRunLog, type FlushedLog, labelled } from "../../../workers/deliver/run-log.ts";
import { until } from "../../support/processes/process.ts";

const CAP = 10 * 1024 * 1024;

const CUTS = [16_384, 32_767].flatMap((cut) => Array.from({ length: 14 }, (_, shift) => [cut, shift] as const));

describe("a delivery's log", () => {
  let kept: string[];
  const open = (more: Partial<Parameters<typeof createRunLog>[0]> = {}): FlushedLog =>
    createRunLog({ append: async (text) => void kept.push(text), mask: createMask(["canary-secret"]), ...more });

  beforeEach(() => {
    kept = [];
  });

  it("keeps lines, and pieces of lines once they are whole", async () => {
    const log = open();
    log.line("first");
    log.write("sec");
    log.write("ond\r\nthi");
    log.write("rd");
    await log.flush();
    assert.equal(kept.join(""), "first\nsecond\nthird\n");
  });

  it("ends an open line before a whole line is written", async () => {
    const log = open();
    log.write("halfway");
    log.line("then this");
    await log.flush();
    assert.equal(kept.join(""), "halfway\nthen this\n");
  });

  it("shows no part of a secret where a long line is cut", async () => {
    const log = open({ mask: createMask(["Q1W2E3R4T5Z6U"]) });
    for (const to of [log, labelled(log, "api")]) {
      for (const [cut, shift] of CUTS) {
        kept = [];
        to.write(`${"x".repeat(40_000)}Q1W2E3R4T5Z6U`);
        to.write("y".repeat(cut - shift));
        to.write("\n");
        await log.flush();
        assert.doesNotMatch(kept.join(""), /[A-Z0-9]/, `${cut} ${shift}`);
        assert.match(kept.join(""), /y{10000,}\n$/);
      }
    }
  });

  it("labels each line of builds that run side by side, and mixes no two lines", async () => {
    const log = open();
    const [api, web] = [labelled(log, "api"), labelled(log, "web")];
    api.write("one\ntw");
    web.write("10%\r90%\nhalf");
    log.line("both go on");
    api.write("o canary-");
    web.line("three\nfour");
    api.write("secret\n");
    await log.flush();
    assert.equal(
      kept.join(""),
      "api | one\nweb | 90%\nboth go on\nweb | half\nweb | three\nweb | four\napi | two [secret]\n",
    );
  });

  it("hides a secret that arrives bit by bit, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(30), { maxLength: 6 }), async (cuts) => {
        kept = [];
        const log = open();
        const text = "one canary-secret two\nthree\n";
        let from = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
          log.write(text.slice(from, cut));
          from = Math.max(from, cut);
        }
        await log.flush();
        assert.equal(kept.join(""), "one [secret] two\nthree\n");
      }),
    );
  });

  it("leaves out colours, control characters and overwritten progress, and keeps tabs", async () => {
    const log = open();
    log.write("\u001b[31mred\u001b[0m\tdone\u0007\u0000\n");
    log.write(" 10%\r 50%\r100%\n");
    log.write("\u001b]0;title\u0007plain\n");
    await log.flush();
    assert.equal(kept.join(""), "red\tdone\n100%\nplain\n");
  });

  it("is flushed after a moment, and at once after much output", async () => {
    const log = open();
    log.line("soon");
    await until("it was written", () => kept.length === 1);
    log.line("x".repeat(70_000));
    await until("that too", () => kept.length === 2, 200);
  });

  it("ends with a note at 10 MB, counting what earlier attempts wrote", async () => {
    const log = open({ written: CAP - 2_000 });
    for (let line = 0; line < 100; line++) log.line(`${line} ${"x".repeat(95)}`);
    await log.flush();
    const text = kept.join("");
    assert.ok(text.length < 2_200);
    assert.match(text, /\n… the log ends here: it reached 10 MB\n$/);
    log.line("more");
    await log.flush();
    assert.equal(kept.join(""), text);
  });

  it("holds only the end of a line that never ends", async () => {
    const log = open();
    for (let piece = 0; piece < 100; piece++) log.write("y".repeat(1_000));
    log.write("END\n");
    await log.flush();
    assert.ok(kept.join("").length <= 17_500, `${kept.join("").length}`);
    assert.match(kept.join(""), /END\n$/);
  });

  it("goes on after a failed write, and says that a piece is missing", async () => {
    const lost: unknown[] = [];
    let fails = true;
    const log = open({
      async append(text) {
        if (fails) throw new Error("the ledger is away");
        kept.push(text);
      },
      onLost: (error) => void lost.push(error),
    });
    log.line("lost");
    await log.flush();
    fails = false;
    log.line("kept");
    await log.flush();
    assert.deepEqual([kept, lost.map(String)], [["kept\n"], ["Error: the ledger is away"]]);
  });

  it("keeps the order, however slow the ledger is", async () => {
    let slow: (() => void) | undefined;
    const log = open({
      async append(text) {
        if (slow === undefined) await new Promise<void>((resolve) => (slow = resolve));
        kept.push(text);
      },
    });
    log.line("1".repeat(70_000));
    await until("the first is being written", () => slow !== undefined);
    log.line("2".repeat(70_000));
    slow?.();
    await log.flush();
    assert.deepEqual(
      kept.map((text) => text[0]),
      ["1", "2"],
    );
  });
});
