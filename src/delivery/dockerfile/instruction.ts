import type { Heredoc } from "./heredoc.ts";

/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  /** Upper-case. */
  keyword: string;
  /** As in `--from=build`, without quotes. */
  flags: string[];
  /** What its keyword makes of the rest: words, or one text. Quotes stay for the shell lexer. */
  args: string[];
  /** The args stand in a JSON array. */
  isJson: boolean;
  heredocs: Heredoc[];
  /** What an ONBUILD keeps for the stages that stand on its own. */
  trigger: Instruction | null;
  /** Its first line, from 1. */
  line: number;
}

export interface Script {
  escapeChar: string;
  instructions: Instruction[];
}
