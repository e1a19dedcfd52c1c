const STEP_MS = 200;
const WIDTH = 30;

/** How much has come, as a bar on a line of its own: for a person at a terminal, and nowhere else. @param total null: not known */
export function progressBar(total: number | null, out: NodeJS.WriteStream = process.stderr) {
  let seen = 0;
  let next = 0;
  const show = () => out.write(`\r${total === null ? megabytes(seen) : barOf(seen, total)}\u001b[K`);
  return {
    /** So much was here before. */
    begin(bytes: number): void {
      seen = bytes;
    },
    /** Now it is known how much it will be. */
    expect(bytes: number): void {
      total = bytes;
    },
    add(bytes: number): void {
      seen += bytes;
      if (!out.isTTY || Date.now() < next) return;
      next = Date.now() + STEP_MS;
      show();
    },
    end(): void {
      if (out.isTTY) out.write("\r\u001b[K");
    },
  };
}

function barOf(seen: number, total: number): string {
  const share = Math.min(1, seen / Math.max(total, 1));
  const done = Math.floor(share * WIDTH);
  const bar = "#".repeat(done) + "-".repeat(WIDTH - done);
  return `[${bar}] ${Math.floor(share * 100)} %  ${megabytes(seen)} of ${megabytes(total)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
