import { Readable } from "node:stream";
import type { Engine } from "../../builders/engine/open.ts";
import { systemClock } from "../../run/clock.ts";
import type { Grant } from "../../store/intake.ts";

/**
 * Has the engine show its way to the intake at `host`.
 * @param grant Null: the intake of another process, which knows no user of ours. It was reached if it says so.
 * @throws Error with what the engine says
 */
export async function reachesIntake(engine: Engine, host: string, grant: Grant | null): Promise<void> {
  try {
    if (engine.protocol === "docker") await logIn(engine, host, grant);
    else await push(engine, host, grant);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    if (grant === null && /unauthorized|incorrect username/i.test(message)) return;
    // The grant lets in no byte.
    if (code === "image-too-large") return;
    throw new Error(`the engine cannot reach ${host}: ${message}`);
  }
}

async function logIn({ docker }: Extract<Engine, { protocol: "docker" }>, serveraddress: string, grant: Grant | null) {
  const { username = "doctor", password = "doctor" } = grant ?? {};
  await docker.checkAuth({ username, password, serveraddress });
}

/** A BuildKit can only push. An empty image leaves nothing, since the grant allows no byte. */
async function push({ connect }: Extract<Engine, { protocol: "buildkit" }>, host: string, given: Grant | null) {
  const { buildKitImageBuilder } = await import("../../builders/image/on-buildkit.ts");
  const stranger = { host, repository: "doctor", username: "doctor", password: "doctor" };
  const grant: Grant = given ?? { ...stranger, pushed: () => null, revoke: async () => {} };
  const builder = buildKitImageBuilder({ connect, intake: { grant: () => grant }, registryAuth: () => null });
  const dockerfile = "FROM scratch\n";
  await builder.build(
    {
      id: "doctor",
      artifact: {
        ...{ name: "doctor", kind: "image", dockerfile: "Dockerfile", context: ".", target: null, paths: [] },
        ...{ platforms: [], args: {}, labels: {}, secrets: [], cache: true, build: null, files: [], publish: [] },
      },
      openContext: async () => Readable.from([]),
      ...{ dockerfileApart: true, dockerfile, args: {}, labels: {}, secrets: {} },
      limits: { memoryBytes: null, cpus: null, time: 30_000 },
    },
    {
      log: { write: () => {}, line: () => {} },
      signal: new AbortController().signal,
      tmp: "",
      clock: systemClock,
    },
  );
}
