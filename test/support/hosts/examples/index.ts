import { bitbucketCloud } from "./bitbucket-cloud.ts";
import { bitbucketDataCenter } from "./bitbucket-data-center.ts";
import { generic } from "./generic.ts";
import { gitea } from "./gitea.ts";
import { github } from "./github.ts";
import { githubApp } from "./github-app.ts";
import { gitlab } from "./gitlab.ts";
import type { HostExamples } from "./host-examples.ts";

/** The examples of every type of host. */
export const hostExamples: readonly HostExamples[] = [
  github,
  githubApp,
  gitlab,
  gitea,
  bitbucketCloud,
  bitbucketDataCenter,
  generic,
];
