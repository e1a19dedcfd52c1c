import { createHash } from "node:crypto";
import type { Builder, BuildOrder, Built } from "../../../src/builders/builder.ts";
import { TransientError, UserError } from "../../../src/delivery/errors.ts";
import type { Network } from "../machine/network.ts";
import type { Random } from "../machine/random.ts";
import type { Actor } from "../machine/scheduler.ts";
import type { History } from "./history.ts";
import type { SimStore } from "./store.ts";

interface Ports {
  network: Network;
  random: Random;
  store: SimStore;
  history: History;
  /** Whether two builds of one commit make the same bytes. */
  isReproducible: boolean;
}

/** Builds by making up a digest: the engine of one machine. */
export function simBuilder(
  caller: Actor,
  { network, random, store, history, isReproducible }: Ports,
): Builder<BuildOrder> {
  return {
    async build({ id, artifact, args }, run): Promise<Built> {
      const { DELIVERD_SHA: sha = "", DELIVERD_VERSION: version = "" } = args;
      const bytes = isReproducible ? `${sha} ${artifact.name} ${version}` : `${id} ${random.hex(8)}`;
      const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      await network.call({
        ...{ caller, to: "the engine", signal: run.signal, latency: [50, 4_000], patience: 20_000 },
        failure: (why) => new TransientError("engine-gone", `the engine does not answer: ${why}`),
        serve: () => {
          if (history.require(sha).buildFails) throw new UserError("build-failed", "the build failed: step 3 of 7");
        },
      });
      store.add(digest);
      return { digest, mediaType: "application/vnd.oci.image.manifest.v1+json", size: 100, bases: [] };
    },
  };
}
