import type { DockerfileFacts } from "../../delivery/dockerfile/index.ts";
import type { BuildOrder } from "../builder.ts";
import { declaredArgs } from "./args.ts";

/** How BuildKit's Dockerfile frontend gets at the files. */
export interface FrontendPaths {
  /** The URL of a tar. Null: the session serves the files. */
  contextUrl: string | null;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
}

/** https://github.com/moby/buildkit/blob/master/docs/reference/buildctl.md and frontend/dockerui/config.go. */
export function frontendAttributes(
  order: BuildOrder,
  dockerfile: DockerfileFacts,
  paths: FrontendPaths,
  { platforms, network, resolveMode }: { platforms: string[]; network: string | null; resolveMode: string },
): Record<string, string> {
  const { target, cache } = order.artifact;
  return {
    filename: paths.dockerfile,
    platform: platforms.join(","),
    "image-resolve-mode": resolveMode,
    ...(paths.contextUrl === null ? {} : { context: paths.contextUrl }),
    ...(target === null ? {} : { target }),
    // Empty: no step is taken from the cache.
    ...(cache ? {} : { "no-cache": "" }),
    ...(network === null ? {} : { "force-network-mode": network }),
    ...prefixed("build-arg:", declaredArgs(order, dockerfile)),
    ...prefixed("label:", order.labels),
  };
}

function prefixed(prefix: string, values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
