import type { Sha } from "../delivery/types.ts";
import { type Conversation, talkToGit } from "./conversation.ts";
import type { GitCall } from "./git.ts";

/** The id, type and size of an object. */
export interface ObjectHead {
  object: Sha;
  type: "commit" | "tree" | "blob" | "tag";
  size: number;
}

/** The git process ends after this long without a question. */
const IDLE_TIMEOUT_MS = 1_000;
/** A larger object is no commit, pipeline file or folder that a person made. */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/**
 * Reads single objects of a repository. Questions that follow each other go to one `git cat-file --batch-command`,
 * since starting a process takes longer than an answer. Objects that arrive meanwhile are found: git looks again
 * before it reports one as missing.
 */
export class ObjectReader {
  readonly #call: () => Promise<GitCall>;
  #talk: Conversation | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;

  /** @param call gives the options for each start of git */
  constructor(call: () => Promise<GitCall>) {
    this.#call = call;
  }

  /** Null: there is no such object. @param name an id or a revision such as `<sha>^{tree}`, without line breaks */
  head(name: string): Promise<ObjectHead | null> {
    return this.#inTurn(async (talk) => readHead(talk, "info", name));
  }

  /** An object with its bytes. Null: there is none. @throws Error if it is larger than 64 MiB */
  read(name: string): Promise<(ObjectHead & { bytes: Buffer }) | null> {
    return this.#inTurn(async (talk) => {
      const head = await readHead(talk, "info", name);
      if (head === null) return null;
      if (head.size > MAX_OBJECT_BYTES)
        throw new Error(`${name} has ${head.size} bytes, more than ${MAX_OBJECT_BYTES}`);
      if ((await readHead(talk, "contents", head.object)) === null) return null;
      const bytes = await talk.take(head.size + 1);
      return { ...head, bytes: bytes.subarray(0, head.size) };
    });
  }

  /** Whether a git process is running that can answer at once. */
  get isOpen(): boolean {
    return this.#talk !== null;
  }

  /** Ends git and the question in progress. The next question starts git again. */
  close(): void {
    clearTimeout(this.#idle);
    this.#talk?.end();
    this.#talk = null;
  }

  /** One question at a time, since answers do not name their question. */
  #inTurn<T>(ask: (talk: Conversation) => Promise<T>): Promise<T> {
    const answer = this.#turn.then(async () => {
      clearTimeout(this.#idle);
      this.#talk ??= talkToGit(["cat-file", "--batch-command"], await this.#call());
      const talk = this.#talk;
      try {
        return await ask(talk);
      } catch (error) {
        // Its next output would still answer this question.
        talk.end();
        if (this.#talk === talk) this.#talk = null;
        throw error;
      } finally {
        this.#idle = setTimeout(() => this.close(), IDLE_TIMEOUT_MS);
        this.#idle.unref();
      }
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }
}

/** `<id> <type> <size>`, or `<name> missing` (git-cat-file(1), "BATCH OUTPUT"). */
async function readHead(talk: Conversation, command: "info" | "contents", name: string): Promise<ObjectHead | null> {
  talk.say(`${command} ${name}\n`);
  const line = await talk.line();
  if (line.endsWith(" missing")) return null;
  const [, object, type, size] = /^([0-9a-f]+) (commit|tree|blob|tag) (\d+)$/.exec(line) ?? [];
  if (object === undefined || type === undefined) throw new Error(`git cat-file answered ${JSON.stringify(line)}`);
  return { object, type: type as ObjectHead["type"], size: Number(size) };
}
