import assert from "node:assert/strict";
import { progressBar } from "../../../src/cli/progress.ts";

const MB = 1_000_000;

/** A progress of `total` bytes on a stream that a test can read, at a time that a test sets. */
function progressOn(stream: { isTTY: boolean; columns?: number }, total: number | null) {
  let text = "";
  let time = 0;
  const write = (chunk: string) => {
    text += chunk;
    return true;
  };
  const progress = progressBar(total, { ...stream, write } as NodeJS.WriteStream, () => time);
  return {
    progress,
    /** Adds bytes after so many seconds. */
    arrive(seconds: number, bytes: number) {
      time += seconds * 1_000;
      progress.add(bytes);
    },
    /** What was written since the last call. `<clear>` stands for the sequence that clears the rest of the line. */
    written() {
      const written = text.replaceAll("\u001b[K", "<clear>");
      text = "";
      return written;
    },
  };
}

describe("the progress of a download", () => {
  it("is a bar on a terminal, with bytes, total, rate and the time that is left", () => {
    const { progress, arrive, written } = progressOn({ isTTY: true, columns: 80 }, 100 * MB);
    arrive(0, 0);
    assert.equal(written(), `\r[${"-".repeat(30)}] 0 %  0.0 MB of 100.0 MB<clear>`);
    for (let second = 0; second < 5; second++) arrive(1, 5 * MB);
    assert.match(written(), /\r\[#{6,7}-+\] 25 % {2}25\.0 MB of 100\.0 MB {2}5\.0 MB\/s {2}ETA 0:15<clear>$/);
    progress.end();
    assert.equal(written(), "\r<clear>");
  });

  it("counts what an earlier download left, but not in the rate", () => {
    const { progress, arrive, written } = progressOn({ isTTY: true, columns: 100 }, 100 * MB);
    progress.begin(50 * MB);
    arrive(2, 10 * MB);
    assert.match(written(), /60 % {2}60\.0 MB of 100\.0 MB {2}5\.0 MB\/s {2}ETA 0:08/);
  });

  it("follows a network that becomes slower", () => {
    const { arrive, written } = progressOn({ isTTY: true, columns: 100 }, 1_000 * MB);
    for (let second = 0; second < 30; second++) arrive(1, 10 * MB);
    for (let second = 0; second < 12; second++) arrive(1, MB);
    assert.match(written(), / {2}1\.0 MB\/s {2}ETA 11:28<clear>$/);
  });

  it("fits any terminal: the bar becomes shorter, and then the line is cut", () => {
    for (const columns of [20, 40, 60, 80, 200]) {
      const { arrive, written } = progressOn({ isTTY: true, columns }, 123_456 * MB);
      arrive(2, 3_210 * MB);
      const line = written().replace(/\r|<clear>/g, "");
      assert.ok(line.length < columns, `${line.length}: ${line}`);
      assert.ok(line.includes("2 %"), line);
    }
  });

  it("takes the total from the server, and shows only bytes as long as it is not known", () => {
    const { progress, arrive, written } = progressOn({ isTTY: true, columns: 80 }, null);
    arrive(2, 3 * MB);
    assert.equal(written(), "\r3.0 MB  1.5 MB/s<clear>");
    progress.expect(6 * MB);
    arrive(1, 0);
    assert.match(written(), /\[#{15}-{15}\] 50 % {2}3\.0 MB of 6\.0 MB/);
  });

  it("is a few lines elsewhere, and none for a short download", () => {
    const { progress, arrive, written } = progressOn({ isTTY: false }, 10_000 * MB);
    for (let second = 0; second < 9; second++) arrive(1, 10 * MB);
    assert.equal(written(), "");
    arrive(1, 10 * MB);
    assert.equal(written(), "1 %  100.0 MB of 10.00 GB  10.0 MB/s  ETA 16:30\n");
    for (let second = 10; second < 600; second++) arrive(1, 10 * MB);
    const lines = written().trimEnd().split("\n");
    assert.equal(lines.length, 4);
    assert.doesNotMatch(lines.join(""), /\p{Cc}/u);
    progress.end();
    assert.equal(written(), "");
  });
});
