import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { DELIVERY_STATES } from "../../../src/delivery/delivery-states.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { runCli } from "./support.ts";

const run = promisify(execFile);

/** What a shell proposes for the last of these words, in the order of its own. */
type Complete = (words: string[]) => Promise<string[]>;

describe("deliverd completion", function () {
  this.timeout(60_000);
  let dir: TempDir;
  before(async () => {
    dir = await tempDir();
    await mkdir(join(dir.path, "a folder"));
    await writeFile(join(dir.path, "deliverd.yml"), "");
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout, stderr } = await runCli(["completion", shell], {});
      assert.deepEqual([code, stderr], [0, ""]);
      await writeFile(join(dir.path, `completion.${shell}`), stdout);
    }
  });
  after(() => dir.remove());

  const script = (shell: string) => join(dir.path, `completion.${shell}`);

  /** bash itself splits the line, sets COMP_WORDS and calls the function that the script registered. */
  const inBash: Complete = async (words) => {
    const split = words.flatMap((word) => {
      const [, option, value] = /^(--[a-z]+)=(.*)$/.exec(word) ?? [];
      return option === undefined ? [word] : [option, "=", ...(value === "" ? [] : [value ?? ""])];
    });
    const code = `source "$0"; COMP_WORDS=(deliverd "$@"); COMP_CWORD=$#
      function=$(complete -p deliverd); function=\${function#complete -F }; \${function% deliverd}
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run("bash", ["--norc", "-c", code, script("bash"), ...split], { cwd: dir.path });
    return stdout.split("\n").filter((line) => line !== "");
  };

  /** fish has a command that proposes for a line. */
  const inFish: Complete = async (words) => {
    const code = 'source $argv[1]; complete -C "$argv[2]"';
    const line = ["deliverd", ...words].join(" ");
    const env = { ...process.env, HOME: dir.path, XDG_CONFIG_HOME: dir.path, XDG_DATA_HOME: dir.path };
    const { stdout } = await run("fish", ["--no-config", "-c", code, script("fish"), line], { cwd: dir.path, env });
    return stdout.split("\n").flatMap((each) => (each === "" ? [] : [each.split("\t", 1)[0] ?? ""]));
  };

  /** zsh completes only in its line editor: one zsh types into another, which writes what it proposes to a file. */
  const inZsh: Complete = async (words) => {
    const proposals = join(dir.path, "proposed");
    await writeFile(proposals, "");
    const code = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell "PS1=; autoload -U compinit; compinit -u -d $3.dump; source $1"
      zpty -w shell 'compadd() { local -a all; builtin compadd -A all "$@"; print -rl -- $all >> '$3'; builtin compadd "$@" }'
      zpty -w shell 'finish() { print "<end>"; exit }; zle -N finish; bindkey "^X" finish; print "<"ready">"'
      while zpty -r shell line; do [[ $line == *"<ready>"* ]] && break; done
      zpty -w -n shell "$2"$'\t'$'\x18'
      while zpty -r shell line; do [[ $line == *"<end>"* ]] && break; done
      zpty -d shell`;
    const line = ["deliverd", ...words].join(" ");
    await run("zsh", ["-f", "-c", code, "zsh", script("zsh"), line, proposals], { cwd: dir.path, timeout: 30_000 });
    return [...new Set((await readFile(proposals, "utf8")).split("\n").filter((each) => each !== ""))];
  };

  const shells: [name: string, complete: Complete][] = [
    ["bash", inBash],
    ["fish", inFish],
    ["zsh", inZsh],
  ];
  // Only bash is on every machine that builds deliverd.
  for (const [shell, complete] of shells.filter(([name]) => name === "bash" || isInstalled(name))) {
    it(`proposes commands, options and values in a real ${shell}`, async () => {
      assert.deepEqual((await complete(["re"])).sort(), ["receiver", "releases", "retry"]);
      assert.deepEqual((await complete(["deliveries", "--st"])).map(withoutEnd), ["--state"]);
      assert.deepEqual((await complete(["deliveries", "--state", "s"])).sort(), ["superseded"]);
      assert.deepEqual((await complete(["deliveries", "--state", ""])).sort(), DELIVERY_STATES.toSorted());
      assert.deepEqual((await complete(["completion", ""])).sort(), ["bash", "fish", "zsh"]);
      assert.deepEqual((await complete(["help", "ca"])).sort(), ["cancel"]);
      // The value of an option is no command.
      assert.deepEqual((await complete(["deliveries", "--repo", "hooks", "--li"])).map(withoutEnd), ["--limit"]);
      assert.deepEqual((await complete(["--no-color", "--config", "start", "why", "--js"])).map(withoutEnd), [
        "--json",
      ]);
      assert.deepEqual(await complete(["start", "--config", "deliv"]), ["deliverd.yml"]);
    });
  }

  it("completes --option=value and folders with spaces in bash", async () => {
    assert.deepEqual(await inBash(["deliveries", "--state=fa"]), ["failed"]);
    assert.equal((await inBash(["deliveries", "--state="])).length, DELIVERY_STATES.length);
    assert.deepEqual(await inBash(["pull", "--output", "a"]), ["a folder"]);
    assert.deepEqual(await inBash(["pull", "--output", "deliv"]), []);
    assert.deepEqual(await inBash(["deliveries", "--server", ""]), []);
  });

  it("knows every command and every option of the program, also those of a command in a command", async () => {
    const { stdout: help } = await runCli(["--help"], {});
    const list = help.slice(help.indexOf("Commands:"));
    const names = [...list.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = ""]) => name);
    assert.deepEqual((await inBash([""])).sort(), names.toSorted());
    assert.ok(names.length > 10, list);
    for (const name of names.filter((each) => each !== "help")) {
      const { stdout } = await runCli([name, "--help"], {});
      const options = new Set([...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option = ""]) => option));
      assert.deepEqual((await inBash([name, "--"])).sort(), [...options].sort(), name);
    }
  });

  it("is refused for another shell, with the list of those that there are", async () => {
    const { code, stderr } = await runCli(["completion", "tcsh"], {});
    assert.deepEqual([code, /bash, zsh, fish/.test(stderr)], [2, true]);
  });
});

/** Before a value, zsh proposes `--state=` and bash `--state`. */
function withoutEnd(option: string): string {
  return option.replace(/=$/, "");
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      execFileSync("test", ["-x", join(folder, program)]);
      return true;
    } catch {
      return false;
    }
  });
}
