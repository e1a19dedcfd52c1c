import { type GitCall, GitFailed, gitTimeout, startGit } from "./git.ts";

/**
 * A running git that answers one question after another. Every wait throws as `git()` does; the time limit is for one
 * answer.
 */
export interface Conversation {
  say(text: string): void;
  /** The next line, without its line end. */
  line(): Promise<string>;
  /** The next bytes. */
  take(bytes: number): Promise<Buffer>;
  /** Kills git. */
  end(): void;
}

/** Starts a git that reads its questions from stdin, as `cat-file --batch-command`. */
export function talkToGit(args: string[], call: GitCall): Conversation {
  const [verb = ""] = args;
  const { child, stdout, stop } = startGit(args, call, false);
  const chunks = stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);

  const hear = async (): Promise<Buffer> => {
    if (rest.length > 0) {
      const heard = rest;
      rest = Buffer.alloc(0);
      return heard;
    }
    const limit = setTimeout(() => stop(gitTimeout(verb, call)), call.timeLimit);
    try {
      const { value, done } = await chunks.next();
      if (done) throw new GitFailed(verb, 0, "it exited before the end of an answer");
      return value;
    } finally {
      clearTimeout(limit);
    }
  };
  /** @param lengthOf how many bytes of the chunk belong to the answer; negative: all of them, and more follow */
  const gather = async (lengthOf: (chunk: Buffer, before: number) => number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let size = 0; ; ) {
      const chunk = await hear();
      const length = lengthOf(chunk, size);
      parts.push(length < 0 ? chunk : chunk.subarray(0, length));
      size += chunk.length;
      if (length < 0) continue;
      rest = chunk.subarray(length);
      return Buffer.concat(parts);
    }
  };
  return {
    say: (text) => void child.stdin.write(text),
    line: async () => (await gather((chunk) => chunk.indexOf("\n") + 1 || -1)).toString("utf8").slice(0, -1),
    take: (bytes) => gather((chunk, before) => (before + chunk.length < bytes ? -1 : bytes - before)),
    end: () => void stdout.destroy(),
  };
}
