import type Dockerode from "dockerode";
import { UserError } from "../delivery/errors.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Builder, FilesOrder } from "./builder.ts";
import type { RegistryAuth } from "./engine/bases.ts";

export interface FilesBuilderOptions {
  docker: Dockerode;
  store: Store;
  log: Log;
  registryAuth: RegistryAuth;
  /** Docker's network mode. Left out: the engine's default, or none where it has no bridge. */
  network?: string | undefined;
}

/** Runs the commands of a pipeline in a container, and freezes the files that they leave. */
export function filesBuilder(_options: FilesBuilderOptions): Builder<FilesOrder> {
  return {
    build: (order) => Promise.reject(new UserError("kind-not-yet", `${order.artifact.kind} is not built yet`)),
  };
}
