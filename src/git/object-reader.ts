import type { Sha } from "../delivery/types.ts";
import { type Conversation, talkToGit } from "./conversation.ts";
import type { GitCall } from "./git.ts";

/** What stands under an object's name. */
export interface ObjectHead {
  object: Sha;
  type: "commit" | "tree" | "blob" | "tag";
  size: number;
}

/** A process that nobody has asked for so long is ended (ms). */
const IDLE = 1_000;
/** Larger ones are no pipeline file, no commit and no folder of people. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Questions about single objects, all to one `git cat-file --batch-command` while they follow each other: a process for
 * each takes longer than its answer. What comes into the repository meanwhile is found: git looks again before it says
 * that something is missing.
 */
export class ObjectReader {
  readonly #call: () => Promise<GitCall>;
  #talk: Conversation | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;

  /** @param call how to reach the repository, asked at each start of git */
  constructor(call: () => Promise<GitCall>) {
    this.#call = call;
  }

  /** Null: there is no such object. @param name an object's id, or a revision of one, as in `<sha>^{tree}`; no line breaks */
  head(name: string): Promise<ObjectHead | null> {
    return this.#inTurn(async (talk) => readHead(talk, "info", name));
  }

  /** An object with its bytes. @throws Error where it is larger than 64 MiB */
  read(name: string): Promise<(ObjectHead & { bytes: Buffer }) | null> {
    return this.#inTurn(async (talk) => {
      const head = await readHead(talk, "info", name);
      if (head === null) return null;
      if (head.size > MAX_BYTES) throw new Error(`${name} has ${head.size} bytes, more than ${MAX_BYTES}`);
      if ((await readHead(talk, "contents", head.object)) === null) return null;
      const bytes = await talk.take(head.size + 1);
      return { ...head, bytes: bytes.subarray(0, head.size) };
    });
  }

  /** Whether a git runs that can answer at once. */
  get isOpen(): boolean {
    return this.#talk !== null;
  }

  /** Ends git, and with it the question under way. The next one starts it anew. */
  close(): void {
    clearTimeout(this.#idle);
    this.#talk?.end();
    this.#talk = null;
  }

  /** One question at a time, since answers bear no name. */
  #inTurn<T>(ask: (talk: Conversation) => Promise<T>): Promise<T> {
    const answer = this.#turn.then(async () => {
      clearTimeout(this.#idle);
      this.#talk ??= talkToGit(["cat-file", "--batch-command"], await this.#call());
      const talk = this.#talk;
      try {
        return await ask(talk);
      } catch (error) {
        // What it would say next answers a question that is over.
        talk.end();
        if (this.#talk === talk) this.#talk = null;
        throw error;
      } finally {
        this.#idle = setTimeout(() => this.close(), IDLE);
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
