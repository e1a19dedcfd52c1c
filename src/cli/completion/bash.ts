import { type CompletedCommand, type CompletedValue, withDescendants } from "./tree.ts";

/** The completion script for bash, also for the old bash 3.2 of macOS. */
export function bashCompletion(program: CompletedCommand, name: string): string {
  const commands = withDescendants(program);
  const inner = commands.filter((each) => each.path.length > 0).map(pathOf);
  const withValue = commands.flatMap((each) =>
    each.options.flatMap(({ flags, value }) =>
      value === null ? [] : flags.map((flag) => ({ at: `${pathOf(each)} ${flag}`, value })),
    ),
  );
  return `# Completion of ${name} for bash.
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path='' words i
  COMPREPLY=()
  # bash splits --option=value at the equals sign.
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${patterns(inner)})
        path="$path \${COMP_WORDS[i]}" ;;
      ${patterns(withValue.map(({ at }) => at))})
        i=$((i + 1))
        if [[ \${COMP_WORDS[i]} == '=' ]]; then i=$((i + 1)); fi ;;
    esac
  done
  case "$path $prev" in
${withValue.map(({ at, value }) => `    ${quoted(at)}) ${proposal(name, value)}; return ;;`).join("\n")}
  esac
  case "$path" in
${commands.map((each) => branch(name, each)).join("\n")}
  esac
}
_${name}_words() {
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}
_${name}_paths() {
  compopt -o filenames 2>/dev/null
  IFS=$'\\n' read -r -d '' -a COMPREPLY < <(compgen "$1" -- "$cur"; printf '\\0')
}
complete -F _${name} ${name}
`;
}

/** What to propose for a word after this command: its options after a dash, else commands or an argument. */
function branch(name: string, command: CompletedCommand): string {
  const options = command.options.flatMap(({ flags }) => flags).join(" ");
  const [argument = { kind: "text" }] = command.arguments;
  const words = command.commands.map(({ path }) => path.at(-1) ?? "");
  const other =
    words.length > 0
      ? `_${name}_words ${quoted(words.join(" "))}`
      : proposal(name, argument, `_${name}_words ${quoted(options)}`);
  return `    ${quoted(pathOf(command))})
      if [[ $cur == -* ]]; then _${name}_words ${quoted(options)}; else ${other}; fi ;;`;
}

function proposal(name: string, value: CompletedValue, nothing = ":"): string {
  switch (value.kind) {
    case "choice":
      return `_${name}_words ${quoted(value.choices.join(" "))}`;
    case "file":
      return `_${name}_paths -f`;
    case "folder":
      return `_${name}_paths -d`;
    case "text":
      return nothing;
  }
}

/** For example ` hooks add`; empty for the program itself. */
function pathOf({ path }: CompletedCommand): string {
  return path.map((word) => ` ${word}`).join("");
}

function patterns(texts: string[]): string {
  return texts.map(quoted).join(" | ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
