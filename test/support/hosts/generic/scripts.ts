import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const PAGE = new URL("../../../../docs/reference/hosts/generic.md", import.meta.url);

/** The shell scripts of the page for people, installed as the page says. */
export interface DocumentedScripts {
  /** Runs the lines that CI runs, in a work tree. @returns what the server answered */
  sendResult(workTree: string, state: string): Promise<string>;
  /** Installs the hook in a bare repo. */
  installHook(bareRepo: string): Promise<void>;
}

/**
 * @param directory for the script and the secret; it is not removed
 * @param names what the page's example calls the repo and the server, and what they are here
 */
export async function installScripts(
  directory: string,
  secret: string,
  names: { repo: string; url: string; key: string },
): Promise<DocumentedScripts> {
  const [send = "", hook = "", ci = ""] = blocksOf(await readFile(PAGE, "utf8")).map((text) =>
    text
      .replaceAll("https://deliverd.example.com/webhooks/git", `${names.url}/webhooks/${names.key}`)
      .replaceAll("https://deliverd.example.com", names.url)
      .replaceAll("acme/api", names.repo),
  );
  const bin = join(directory, "bin");
  const secretFile = join(directory, "secret");
  await mkdir(bin, { recursive: true });
  await writeFile(secretFile, `${secret}\n`, { mode: 0o600 });
  await executable(join(bin, "deliverd-send"), send);
  const environment = { WEBHOOK_SECRET_FILE: secretFile, PATH: `${bin}:${process.env.PATH}` };
  return {
    sendResult: (workTree, state) =>
      run("sh", ["-c", ci.replace('"state":"success"', `"state":"${state}"`)], workTree, environment),
    async installHook(bareRepo) {
      const exports = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
      await mkdir(join(bareRepo, "hooks"), { recursive: true });
      // A server gives its hooks an environment; here the hook has to bring its own.
      await executable(join(bareRepo, "hooks/post-receive"), hook.replace("\n", `\n${exports.join("")}`));
    },
  };
}

function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

async function executable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}

function run(file: string, args: string[], cwd: string, env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout}${stderr}`));
    });
  });
}
