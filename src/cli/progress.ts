const REFRESH_MS = 200;
const WIDTH_CHARS = 30;

/** A progress bar on a terminal; prints nothing if `out` is not one. @param total bytes; null if not known */
export function progressBar(total: number | null, out: NodeJS.WriteStream = process.stderr) {
  let seen = 0;
  let next = 0;
  const show = () => out.write(`\r${total === null ? megabytes(seen) : barOf(seen, total)}\u001b[K`);
  return {
    /** Sets how many bytes an earlier download left. */
    begin(bytes: number): void {
      seen = bytes;
    },
    /** Sets the total number of bytes. */
    expect(bytes: number): void {
      total = bytes;
    },
    add(bytes: number): void {
      seen += bytes;
      if (!out.isTTY || Date.now() < next) return;
      next = Date.now() + REFRESH_MS;
      show();
    },
    end(): void {
      if (out.isTTY) out.write("\r\u001b[K");
    },
  };
}

function barOf(seen: number, total: number): string {
  const share = Math.min(1, seen / Math.max(total, 1));
  const done = Math.floor(share * WIDTH_CHARS);
  const bar = "#".repeat(done) + "-".repeat(WIDTH_CHARS - done);
  return `[${bar}] ${Math.floor(share * 100)} %  ${megabytes(seen)} of ${megabytes(total)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
