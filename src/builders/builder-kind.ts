import type * as z from "zod";
import type { ArtifactKind, ArtifactPlan } from "../delivery/types.ts";
import type { Log } from "../observe/log.ts";
import type { Intake } from "../store/intake.ts";
import type { Store } from "../store/store.ts";
import type { Builder, CacheUses } from "./builder.ts";
import type { RegistryAuth } from "./engine/bases.ts";
import type { Engine } from "./engine/open.ts";

/** What builders are made of. */
export interface BuilderParts {
  /** Finds the engine when it is first called. */
  engine(): Promise<Engine>;
  intake: Pick<Intake, "grant">;
  store: Store;
  log: Log;
  registryAuth: RegistryAuth;
  cacheUses: CacheUses;
  /** Docker's network mode. Left out: the engine's default. */
  network?: string | undefined;
}

/** A declared kind of builder. */
export interface BuilderKind<Order> {
  /** Parses an artifact of this kind in a pipeline, `kind` included. */
  settings(kind: ArtifactKind): z.ZodType<ArtifactPlan>;
  /** A builder that is loaded, and connects to what it needs, when it first builds. */
  open(parts: BuilderParts): Builder<Order>;
}

/** Declares a kind of builder. `open` loads what is large. */
export function builderKind<Order>({
  settings,
  open,
}: {
  settings(kind: ArtifactKind): z.ZodType<ArtifactPlan>;
  open(parts: BuilderParts): Promise<Builder<Order>>;
}): BuilderKind<Order> {
  return {
    settings,
    open(parts) {
      let opened: Promise<Builder<Order>> | null = null;
      return {
        async build(order, run) {
          opened ??= open(parts).catch((error) => {
            opened = null;
            throw error;
          });
          return (await opened).build(order, run);
        },
      };
    },
  };
}
