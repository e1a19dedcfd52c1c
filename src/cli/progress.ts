const STEP_MS = 200;

/** How much has come, on a line of its own: for a person at a terminal, and nowhere else. @param total null: not known */
export function progress(total: number | null, out: NodeJS.WriteStream = process.stderr) {
  let seen = 0;
  let next = 0;
  const show = () => {
    const of = total === null ? "" : ` of ${megabytes(total)}, ${Math.floor((seen / Math.max(total, 1)) * 100)} %`;
    out.write(`\r${megabytes(seen)}${of}\u001b[K`);
  };
  return {
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

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
