import type { Command } from "commander";
import type { DeliveryView } from "../api/delivery-view.ts";
import type { Why } from "../api/why.ts";
import { printable } from "../delivery/printable.ts";
import type { ReleaseView } from "../delivery/release-view.ts";
import { type ClientOptions, clientOptions, request, requestJson } from "./client.ts";
import { EXIT, Failure } from "./exit.ts";
import { list, listAll, parseLimit } from "./lists.ts";
import { followLog, logPath } from "./logs.ts";
import type { PullOrder } from "./pull.ts";
import { table, terminalSafe } from "./terminal.ts";

interface Common {
  server?: string;
  json?: boolean;
}

/** Adds a command with the options that all commands below have. */
type Add = (usage: string, description: string) => Command;

/** Adds the commands that call a running server. */
export function addClientCommands(program: Command): void {
  const add: Add = (usage, description) =>
    program
      .command(usage)
      .description(description)
      .option("--server <url>", "the server to ask; DELIVERD_SERVER")
      .option("--json", "print JSON");
  addWhy(add);
  addDeliveries(add);
  addLogs(add);
  addChange(add, "retry");
  addChange(add, "cancel");
  addReleases(add);
  addPull(add);
}

function addWhy(add: Add): void {
  add("why <commit>", "tell why a commit (<repo>@<sha>) was delivered, or was not").action(
    async (commit: string, own: Common) => {
      const [repo, sha] = splitAt(commit, "<repo>@<sha>");
      const why = await requestJson<Why>(await connect(own), `/api/v1/why?${new URLSearchParams({ repo, sha })}`);
      const events = table(why.events.map(({ at, kind, text }) => [at, kind, text]));
      print(own, why, [`${why.repo}@${why.sha}: ${why.state}`, why.because, "", events].join("\n"));
      if (why.state === "unknown") process.exitCode = EXIT.notFound;
    },
  );
}

function addDeliveries(add: Add): void {
  add("deliveries", "list deliveries, newest first")
    .option("--repo <repo>", "only of this repo")
    .option("--sha <sha>", "only of this commit")
    .option("--state <state>", "only in this state")
    .action(async (own: Common & { repo?: string; sha?: string; state?: string }) => {
      const { repo, sha, state } = own;
      const page = await list<DeliveryView>(await connect(own), "/api/v1/deliveries", { repo, sha, state });
      const row = (each: DeliveryView) => {
        const [because = ""] = each.because.split("\n", 1);
        return [each.id, each.state, each.repo, each.sha.slice(0, 7), because];
      };
      print(own, page, table(page.items.map(row)));
    });
}

function addLogs(add: Add): void {
  add("logs <delivery>", "print a delivery's log")
    .option("-f, --follow", "go on until the delivery ends")
    .action(async (id: string, own: Common & { follow?: boolean }) => {
      const options = await connect(own);
      const read = async () => (await request(options, logPath(id))).text();
      if (own.json) print(own, { log: await read() }, "");
      else if (own.follow) await followLog(options, id);
      else process.stdout.write(terminalSafe(await read()));
    });
}

function addChange(add: Add, change: "retry" | "cancel"): void {
  add(`${change} <delivery>`, `${change} a delivery`).action(async (id: string, own: Common) => {
    const path = `/api/v1/deliveries/${encodeURIComponent(id)}/${change}`;
    const view = await requestJson<DeliveryView>(await connect(own), path, { method: "POST" });
    print(own, view, `${view.id} ${view.state}: ${view.because}`);
  });
}

type ReleaseQuery = { repo?: string; artifact?: string; sha?: string; branch?: string; limit?: number };

function addReleases(add: Add): void {
  add("releases", "list releases, newest first")
    .option("--repo <repo>", "only of this repo")
    .option("--artifact <name>", "only of this artifact")
    .option("--sha <sha>", "only of this commit")
    .option("--branch <branch>", "only of this branch")
    .option("--limit <n>", "only the newest n; left out: all, back to the first", parseLimit)
    .action(async (own: Common & ReleaseQuery) => {
      const { repo, artifact, sha, branch, limit = Number.POSITIVE_INFINITY } = own;
      const query = { repo, artifact, sha, branch };
      const page = await listAll<ReleaseView>(await connect(own), "/api/v1/releases", query, limit);
      const row = (each: ReleaseView) => [
        each.artifact,
        each.versions.join(", "),
        each.repo,
        each.digest,
        each.releasedAt,
      ];
      print(own, page, table(page.items.map(row)));
    });
}

function addPull(add: Add): void {
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

function connect({ server }: Common): Promise<ClientOptions> {
  return clientOptions(server, process.env);
}

function splitAt(text: string, form: string): [string, string] {
  const at = text.lastIndexOf("@");
  if (at <= 0 || at === text.length - 1) throw new Failure(EXIT.usage, `"${text}" does not have the form ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function print(own: Common, data: unknown, text: string): void {
  process.stdout.write(own.json ? `${printable(JSON.stringify(data, null, 2))}\n` : `${terminalSafe(text)}\n`);
}
