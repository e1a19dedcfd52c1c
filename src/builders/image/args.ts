import type { DockerfileFacts } from "../../delivery/dockerfile/index.ts";
import type { BuildOrder } from "../builder.ts";

/** The build arguments that an ARG declares: builders warn about others. */
export function declaredArgs({ args }: Pick<BuildOrder, "args">, dockerfile: DockerfileFacts): Record<string, string> {
  // Docker accepts the proxy variables without an ARG.
  const isProxy = (name: string) => /^(https?|ftp|no|all)_proxy$/i.test(name);
  return Object.fromEntries(Object.entries(args).filter(([name]) => dockerfile.args.has(name) || isProxy(name)));
}
