import { generic } from "./generic.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import type { HostExamples } from "./host-examples.ts";

/** The examples of every type of host. */
export const hostExamples: readonly HostExamples[] = [github, gitlab, generic];
