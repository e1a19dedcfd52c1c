import { Readable } from "node:stream";
import { type Command, InvalidArgumentError } from "commander";
import type { DeliveryView } from "../api/delivery-view.ts";
import type { Why } from "../api/why.ts";
import { printable } from "../delivery/printable.ts";
import type { ReleaseView } from "../delivery/release-view.ts";
import { type ClientOptions, clientOptions, request, requestJson } from "./client.ts";
import { EXIT, Failure } from "./exit.ts";
import type { PullOrder } from "./pull.ts";
import { table, terminalSafe } from "./terminal.ts";

/** As many as the API gives at once. */
const PAGE_MAX = 200;

interface Common {
  server?: string;
  json?: boolean;
}

/** The commands that ask a running server. */
export function addClientCommands(program: Command): void {
  const add = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .option("--server <url>", "the server to ask; DELIVERD_SERVER")
      .option("--json", "print JSON");
  const connect = ({ server }: Common) => clientOptions(server, process.env);

  add("why <commit>", "tell why a commit (<repo>@<sha>) was delivered, or was not").action(
    async (commit: string, own: Common) => {
      const [repo, sha] = splitAt(commit, "<repo>@<sha>");
      const why = await requestJson<Why>(await connect(own), `/api/v1/why?${new URLSearchParams({ repo, sha })}`);
      print(
        own,
        why,
        [
          `${why.repo}@${why.sha}: ${why.state}`,
          why.because,
          "",
          table(why.events.map((each) => [each.at, each.kind, each.text])),
        ].join("\n"),
      );
      if (why.state === "unknown") process.exitCode = EXIT.notFound;
    },
  );
  add("deliveries", "list deliveries, newest first")
    .option("--repo <repo>", "only of this repo")
    .option("--sha <sha>", "only of this commit")
    .option("--state <state>", "only in this state")
    .action(async (own: Common & { repo?: string; sha?: string; state?: string }) => {
      const page = await list<DeliveryView>(await connect(own), "/api/v1/deliveries", {
        repo: own.repo,
        sha: own.sha,
        state: own.state,
      });
      print(
        own,
        page,
        table(
          page.items.map((each) => [
            each.id,
            each.state,
            each.repo,
            each.sha.slice(0, 7),
            each.because.split("\n", 1)[0] ?? "",
          ]),
        ),
      );
    });
  add("logs <delivery>", "print a delivery's log")
    .option("-f, --follow", "go on until the delivery ends")
    .action(async (id: string, own: Common & { follow?: boolean }) => {
      const options = await connect(own);
      if (own.json) print(own, { log: await (await request(options, logPath(id))).text() }, "");
      else if (own.follow) await follow(options, id);
      else process.stdout.write(terminalSafe(await (await request(options, logPath(id))).text()));
    });
  for (const what of ["retry", "cancel"] as const) {
    add(`${what} <delivery>`, `${what} a delivery`).action(async (id: string, own: Common) => {
      const view = await requestJson<DeliveryView>(
        await connect(own),
        `/api/v1/deliveries/${encodeURIComponent(id)}/${what}`,
        { method: "POST" },
      );
      print(own, view, `${view.id} ${view.state}: ${view.because}`);
    });
  }
  add("releases", "list releases, newest first")
    .option("--repo <repo>", "only of this repo")
    .option("--artifact <name>", "only of this artifact")
    .option("--sha <sha>", "only of this commit")
    .option("--branch <branch>", "only of this branch")
    .option("--limit <n>", "only the newest n; left out: all, back to the first", positive)
    .action(
      async (own: Common & { repo?: string; artifact?: string; sha?: string; branch?: string; limit?: number }) => {
        const { repo, artifact, sha, branch, limit = Number.POSITIVE_INFINITY } = own;
        const query = { repo, artifact, sha, branch };
        const page = await listAll<ReleaseView>(await connect(own), "/api/v1/releases", query, limit);
        print(
          own,
          page,
          table(
            page.items.map((each) => [
              each.artifact,
              each.versions.join(", "),
              each.repo,
              each.digest,
              each.releasedAt,
            ]),
          ),
        );
      },
    );
  add("pull <release>", "fetch a release (<artifact>@<version|latest>) and verify it")
    .option("-o, --output <dir>", "where to put it", ".")
    .option("--repo <repo>", "which repo's, where several have one")
    .option("--from <registry>", "from which registry; left out: whichever has it")
    .option("--layout", "an image as the folder of an OCI layout, which --output becomes")
    .option("--load", "an image into the Docker Engine of this machine (DOCKER_HOST), as <artifact>:<version>")
    .action(async (release: string, own: Common & Omit<PullOrder, "artifact" | "version">) => {
      const [artifact, version] = splitAt(release, "<artifact>@<version|latest>");
      const { pull } = await import("./pull.ts");
      const pulled = await pull(await connect(own), { ...own, artifact, version });
      const { loaded, files, digest } = pulled;
      print(own, pulled, loaded === null ? `${files.join("\n")} (${digest})` : `${loaded.image} (${loaded.id})`);
    });
}

/** Server-sent events, line by line. */
async function follow(options: ClientOptions, id: string): Promise<void> {
  const response = await request(options, logPath(id), { headers: { accept: "text/event-stream" } });
  let event = "";
  let rest = "";
  for await (const chunk of Readable.fromWeb((response.body ?? new ReadableStream()) as never).setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("event: ")) event = line.slice("event: ".length);
      else if (line.startsWith("data: ") && event === "log")
        process.stdout.write(`${terminalSafe(line.slice("data: ".length))}\n`);
    }
  }
}

interface Page<T> {
  items: T[];
  next: string | null;
}

/** Page by page to the oldest, or to the limit; `next` then tells that there are older ones. */
async function listAll<T>(
  options: ClientOptions,
  path: string,
  query: Record<string, string | undefined>,
  limit: number,
): Promise<Page<T>> {
  const all: Page<T> = { items: [], next: null };
  do {
    const left = Math.min(PAGE_MAX, limit - all.items.length);
    const page = await list<T>(options, path, { ...query, limit: String(left), cursor: all.next ?? undefined });
    all.items.push(...page.items);
    all.next = page.next;
  } while (all.next !== null && all.items.length < limit);
  return all;
}

async function list<T>(options: ClientOptions, path: string, query: Record<string, string | undefined>) {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return requestJson<Page<T>>(options, `${path}?${new URLSearchParams(given)}`);
}

function positive(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number above 0.");
}

function logPath(id: string): string {
  return `/api/v1/deliveries/${encodeURIComponent(id)}/log`;
}

function splitAt(text: string, form: string): [string, string] {
  const at = text.lastIndexOf("@");
  if (at <= 0 || at === text.length - 1) throw new Failure(EXIT.usage, `"${text}" is not of the form ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function print(own: Common, data: unknown, text: string): void {
  process.stdout.write(own.json ? `${printable(JSON.stringify(data, null, 2))}\n` : `${terminalSafe(text)}\n`);
}
