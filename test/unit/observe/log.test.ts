import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { TransientError } from "../../../src/delivery/errors.ts";
import { createLog, type Log, silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";

describe("the daemon's log", () => {
  let stream: PassThrough;
  let log: Log;

  beforeEach(() => {
    stream = new PassThrough();
    log = createLog({ mask: createMask(["hidden-word"]), stream });
  });

  it("is one JSON object a line: time, level, message and fields", () => {
    log.info("something happened", { count: 3 });
    log.warn("careful");
    const [first, second] = lines();
    assert.deepEqual(Object.keys(first ?? {}), ["at", "level", "message", "count"]);
    assert.equal(new Date(String(first?.at)).toISOString(), first?.at);
    assert.deepEqual({ ...first, at: "" }, { at: "", level: "info", message: "something happened", count: 3 });
    assert.deepEqual({ ...second, at: "" }, { at: "", level: "warn", message: "careful" });
  });

  it("stays on one line, whatever the text contains", () => {
    log.info("two\nlines\u2028and\u001b[31m red", { fact: "a\r\nb" });
    assert.equal(lines().length, 1);
  });

  it("adds common facts to every line, and to what is made of it", () => {
    log.with({ delivery: "d1" }).with({ host: "github" }).error("went wrong", { fence: 2 });
    assert.deepEqual(
      { ...lines()[0], at: "" },
      { at: "", level: "error", message: "went wrong", delivery: "d1", host: "github", fence: 2 },
    );
  });

  it("gives a foreseen error by its code and message, and any other with its stack", () => {
    log.error("one", { error: new TransientError("host-down", "no answer", { cause: new Error("ECONNREFUSED") }) });
    log.error("two", { error: new TypeError("a bug") });
    const [foreseen, bug] = lines();
    assert.deepEqual(
      [foreseen?.error, foreseen?.code, foreseen?.cause, foreseen?.stack],
      ["no answer", "host-down", "ECONNREFUSED", undefined],
    );
    assert.equal(bug?.error, "a bug");
    assert.match(String(bug?.stack), /^TypeError: a bug\n {4}at /);
  });

  it("hides secrets in messages, facts and errors", () => {
    log.with({ token: "hidden-word" }).info("the hidden-word", { error: new Error("hidden-word is wrong") });
    const text = String(stream.read());
    assert.equal(text.includes("hidden-word"), false);
    assert.equal(JSON.parse(text).message, "the [secret]");
  });

  it("leaves out entries below its level", () => {
    log.debug("detail");
    createLog({ mask: (text) => text, stream, level: "debug" }).debug("shown");
    assert.deepEqual(
      lines().map((line) => line.message),
      ["shown"],
    );
  });

  it("can be silent", () => {
    silentLog.with({ a: 1 }).error("nothing");
    assert.equal(stream.read(), null);
  });

  function lines(): Record<string, unknown>[] {
    const text = String(stream.read() ?? "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
});
