import type { Heredoc } from "./heredoc.ts";

/** One instruction of a Dockerfile, with its continued lines joined. */
export interface Instruction {
  /** Upper-case. */
  keyword: string;
  /** As in `--from=build`, without quotes. */
  flags: string[];
  /** The rest, as the keyword requires it: words, or one text. Quotes stay for the shell lexer. */
  args: string[];
  /** The args were written as a JSON array. */
  isJson: boolean;
  heredocs: Heredoc[];
  /** The instruction of an ONBUILD, for stages that use this one as their base. */
  trigger: Instruction | null;
  /** Number of its first line, from 1. */
  line: number;
}

export interface Script {
  escapeChar: string;
  instructions: Instruction[];
}
