import { packageUrlOf } from "./package-url.ts";
import { printable } from "./printable.ts";
import type { Release } from "./types.ts";

/** A place in the repo's files that a failure is about. */
export interface Annotation {
  path: string;
  /** From 1. */
  line: number;
  message: string;
}

/** The facts of a delivery that its summary shows. Times in ms since the epoch. */
export interface SummaryFacts {
  because: string;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  releases: readonly Release[];
}

/** GitHub takes 65,535 characters of a check's summary: https://docs.github.com/en/rest/checks/runs */
const MAX_SUMMARY_LENGTH = 60_000;

/** What was released, where it is and how to pull it, in Markdown that every host shows. */
export function reportSummary({ because, createdAt, startedAt, finishedAt, releases }: SummaryFacts): string {
  const parts = [fenced(because)];
  for (const release of releases) parts.push(...summaryOf(release));
  if (startedAt !== null && finishedAt !== null)
    parts.push(
      `Waited ${seconds(startedAt - createdAt)}, then built and published in ${seconds(finishedAt - startedAt)}.`,
    );
  const text = parts.join("\n\n");
  return text.length <= MAX_SUMMARY_LENGTH ? text : `${text.slice(0, MAX_SUMMARY_LENGTH)}\n\n…`;
}

function summaryOf(release: Release): string[] {
  const { artifact, versions, digest, locations } = release;
  const places = locations.map(
    ({ registry, repository, tag }) => `- ${code(`${repository}:${tag}`)} in ${code(registry)}`,
  );
  const pulls = [...new Set(locations.map(({ pull }) => pull))];
  return [
    `**${code(artifact)}** ${versions.map(code).join(", ")}`,
    [`- ${code(digest)}`, `- ${code(packageUrlOf(release))}`, ...places].join("\n"),
    ...(pulls.length === 0 ? [] : [fenced(pulls.join("\n"))]),
  ];
}

/** `<path>:<line>: <text>`, as problems of a pipeline file are written. */
const PLACE = /^(?<path>[\w.-][\w./-]*):(?<line>[1-9]\d{0,6}):(?<said>.*)$/;
/** `<path>, line <line> (<instruction>): <text>`, as those of a Dockerfile are. */
const DOCKERFILE_PLACE = /^(?<path>[\w.-][\w./-]*), line (?<line>[1-9]\d{0,6})(?: \([A-Z]+\))?:(?<said>.*)$/;

/** `<text> (<path>:<line>)`, as a failed build step is. */
const PLACE_AT_END = /^(?<said>build step '.*) \((?<path>[\w.-][\w./-]*):(?<line>[1-9]\d{0,6})\)$/;

/** The places that the lines of a message name. */
export function annotationsIn(message: string): Annotation[] {
  return message.split("\n").flatMap((text) => {
    const groups = (PLACE.exec(text) ?? DOCKERFILE_PLACE.exec(text) ?? PLACE_AT_END.exec(text))?.groups;
    const { path, line, said = "" } = groups ?? {};
    if (path === undefined || said.trim() === "") return [];
    return [{ path, line: Number(line), message: printable(said.trim()) }];
  });
}

/** Text of others between more backticks than it has in a row, so that nothing in it is Markdown. */
function fenced(text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}\n${printable(text)}\n${fence}`;
}

function code(text: string): string {
  const fence = "`".repeat(longestRun(text) + 1);
  const edge = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return `${fence}${edge}${printable(text).replaceAll("\n", " ")}${edge}${fence}`;
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((longest, { length }) => Math.max(longest, length), 0);
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1000))} s`;
}
