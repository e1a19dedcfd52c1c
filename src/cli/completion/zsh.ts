import { type CompletedCommand, type CompletedOption, type CompletedValue, withDescendants } from "./tree.ts";

/** The completion script for zsh: a file `_<name>` in a folder of `fpath`, or text for `source`. */
export function zshCompletion(program: CompletedCommand, name: string): string {
  return `#compdef ${name}
# Completion of ${name} for zsh.
${withDescendants(program)
  .map((each) => commandFunction(name, each))
  .join("\n")}
# In a folder of fpath, this file is the function itself. With \`source\`, it has to be registered.
if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function commandFunction(name: string, command: CompletedCommand): string {
  const specs = command.options.flatMap(optionSpecs);
  const lines = (all: string[]) => all.map((each) => ` \\\n    ${quoted(each)}`).join("");
  if (command.commands.length === 0) {
    const positional = command.arguments.map((value, at) => `${at + 1}:value:${action(value)}`);
    return `${functionName(name, command)}() {
  _arguments${lines([...specs, ...positional])}
}`;
  }
  const described = command.commands.map(
    ({ path, description }) => `${(path.at(-1) ?? "").replaceAll(":", "\\:")}:${description.replaceAll(":", "\\:")}`,
  );
  return `${functionName(name, command)}() {
  local state line
  local -a commands
  commands=(${described.map((each) => `\n    ${quoted(each)}`).join("")}
  )
  _arguments -C${lines([...specs, "1:command:->command", "*::argument:->argument"])}
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $line[1] in
${command.commands.map((each) => `        ${quoted(each.path.at(-1) ?? "")}) ${functionName(name, each)} ;;`).join("\n")}
      esac ;;
  esac
}`;
}

/** Each spelling of an option excludes the others: `(-o --output)-o[where to put it]:value:_files -/`. */
function optionSpecs({ flags, description, value }: CompletedOption): string[] {
  const text = description.replace(/[\\[\]:]/g, (character) => `\\${character}`);
  return flags.map((flag) => {
    const others = flags.length > 1 ? `(${flags.join(" ")})` : "";
    const ending = value === null ? "" : flag.startsWith("--") ? "=" : "+";
    return `${others}${flag}${ending}[${text}]${value === null ? "" : `:value:${action(value)}`}`;
  });
}

function action(value: CompletedValue): string {
  switch (value.kind) {
    case "choice":
      return `(${value.choices.join(" ")})`;
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "text":
      return " ";
  }
}

function functionName(name: string, { path }: CompletedCommand): string {
  return ["", name, ...path].join("_");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
