import { identifyEngine } from "../../builders/engine/identify.ts";
import { chooseInstallation, connectEngine, engineFacts } from "../../builders/engine.ts";
import type { ServerConfig } from "../../config/server.ts";
import { startIntake } from "../../store/intake.ts";
import type { Store } from "../../store/store.ts";
import type { Check } from "./check.ts";
import { DATA_DIRECTORY } from "./machine.ts";

const ENGINE = "engine";

/** The engine that builds, and its way back to deliverd. */
export function engineChecks(config: ServerConfig, store: Store): Check[] {
  const group = "Docker Engine";
  return [
    {
      group,
      part: ENGINE,
      run: () => checkEngine(config),
      remedy: "Start Docker, or set docker.socket or DOCKER_HOST to where it listens; deliverd's user must be let in.",
    },
    {
      group,
      part: "intake",
      needs: [DATA_DIRECTORY, ENGINE],
      run: () => checkIntake(config, store),
      remedy:
        "Set docker.intake.advertise to an address of deliverd as the engine sees it. One that is not in 127.0.0.0/8 must be among the engine's insecure-registries.",
    },
  ];
}

async function checkEngine({ docker }: ServerConfig): Promise<string> {
  const address = { socket: docker.socket ?? undefined, env: process.env };
  const engine = connectEngine(address);
  const { kind, version, apiVersion, edition } = await identifyEngine(engine, address);
  const facts = await engineFacts(engine);
  const { memory, cpus } = docker.limits;
  const { installation, because } = chooseInstallation(facts, { memoryBytes: memory, cpus });
  const network = facts.bridge ? "" : "; it has no bridge network, so builds have none unless docker.network is set";
  const product = `${kind} ${version}${edition === null ? "" : ` (${edition})`}, API ${apiVersion}`;
  return `${product}, on ${facts.platform}; builds by ${installation}: ${because}${network}`;
}

/** Has the engine log in to the intake: to one of our own, or to that of the deliverd that runs already. */
async function checkIntake(config: ServerConfig, store: Store): Promise<string> {
  const docker = connectEngine({ socket: config.docker.socket ?? undefined, env: process.env });
  const { listen = "127.0.0.1:0", advertise } = config.docker.intake ?? {};
  const intake = await startIntake({ store, listen, advertise }).catch(async (error: unknown) => {
    if (await isIntake(listen)) return null;
    throw error;
  });
  const grant = intake?.grant("doctor", { maxBytes: 0 });
  const serveraddress = grant?.host ?? advertise ?? listen;
  try {
    const { username = "doctor", password = "doctor" } = grant ?? {};
    await docker.checkAuth({ username, password, serveraddress });
  } catch (error) {
    // One that runs already knows no such user: it was reached all the same.
    if (grant !== undefined || !/unauthorized|incorrect username/i.test(String(error))) {
      throw new Error(`the engine cannot reach ${serveraddress}: ${(error as Error).message}`);
    }
  } finally {
    await grant?.revoke();
    await intake?.stop();
  }
  return `the engine reaches ${serveraddress}`;
}

async function isIntake(listen: string): Promise<boolean> {
  const answer = await fetch(`http://${listen}/v2/`).catch(() => null);
  await answer?.body?.cancel();
  return answer?.headers.get("www-authenticate")?.includes("deliverd intake") ?? false;
}
