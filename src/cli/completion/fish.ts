import { type CompletedCommand, type CompletedOption, type CompletedValue, withDescendants } from "./tree.ts";

/** The completion script for fish. */
export function fishCompletion(program: CompletedCommand, name: string): string {
  const commands = withDescendants(program);
  const inner = commands.filter((each) => each.path.length > 0).map(pathOf);
  const withValue = commands.flatMap((each) =>
    each.options.flatMap(({ flags, value }) => (value === null ? [] : flags.map((flag) => `${pathOf(each)} ${flag}`))),
  );
  return `# Completion of ${name} for fish.
function __${name}_path
  set -l words (commandline -opc)
  set -e words[1]
  set -l path ''
  set -l is_value 0
  for word in $words
    if test $is_value -eq 1
      set is_value 0
      continue
    end
    switch "$path $word"
      case ${inner.map(quoted).join(" ")}
        set path "$path $word"
      case ${withValue.map(quoted).join(" ")}
        set is_value 1
    end
  end
  echo "$path"
end
function __${name}_at
  test (__${name}_path) = "$argv[1]"
end
complete -c ${name} -f
${commands.flatMap((each) => proposals(name, each)).join("\n")}
`;
}

function proposals(name: string, command: CompletedCommand): string[] {
  const start = `complete -c ${name} -n ${quoted(`__${name}_at ${quoted(pathOf(command))}`)}`;
  const [argument] = command.arguments;
  return [
    ...command.commands.map(
      ({ path, description }) => `${start} -a ${quoted(path.at(-1) ?? "")} -d ${quoted(description)}`,
    ),
    ...(argument === undefined || argument.kind === "text" ? [] : [`${start}${source(argument)}`]),
    ...command.options.map((option) => `${start}${spelling(option)} -d ${quoted(option.description)}`),
  ];
}

function spelling({ flags, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`));
  // `-r` asks for a value and also proposes files, `-x` asks for one and proposes nothing else.
  const form = value === null ? "" : value.kind === "file" ? " -r" : " -x";
  return `${names.join("")}${form}${value === null ? "" : source(value)}`;
}

function source(value: CompletedValue): string {
  switch (value.kind) {
    case "choice":
      return ` -a ${quoted(value.choices.join(" "))}`;
    case "file":
      return " -F";
    case "folder":
      return " -a '(__fish_complete_directories)'";
    case "text":
      return "";
  }
}

/** For example ` hooks add`; empty for the program itself. */
function pathOf({ path }: CompletedCommand): string {
  return path.map((word) => ` ${word}`).join("");
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;
}
