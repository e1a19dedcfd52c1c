import type { Builder, BuildOrder } from "../../../src/builders/builder.ts";
import { type BuildKitAddress, connectBuildKit } from "../../../src/builders/buildkit/address.ts";
import type { BuildKit } from "../../../src/builders/buildkit/connection.ts";
import { type BuildKitBuilderOptions, buildKitImageBuilder } from "../../../src/builders/image/on-buildkit.ts";
import { startRegistry, type TestRegistry } from "../registries/docker-registry.ts";
import { importShell, startYard, type Yard } from "./image-builds.ts";

/** A yard with builders on a BuildKit, and two registries that have the shell image: one asks for a login. */
export interface BuildKitYard extends Omit<Yard, "builder"> {
  /** Of the shell image, for everybody. */
  shell: string;
  /** The same where a login is needed. */
  privateShell: string;
  login: { username: string; password: string };
  connect(): Promise<BuildKit>;
  builder(options?: Partial<BuildKitBuilderOptions>): Builder<BuildOrder>;
}

export async function startBuildKitYard(address: BuildKitAddress): Promise<BuildKitYard> {
  const { builder: _, ...yard } = await startYard();
  const open = await startRegistry();
  const closed = await startRegistry({ auth: "htpasswd" });
  const [shell = "", privateShell = ""] = await Promise.all([open, closed].map((each) => pushShell(yard, each)));
  const connect = () => connectBuildKit(address);
  return {
    ...yard,
    ...{ shell, privateShell, connect },
    login: { username: closed.username, password: closed.password },
    builder: (more) => buildKitImageBuilder({ connect, intake: yard.intake, registryAuth: () => null, ...more }),
    async stop() {
      await open.stop();
      await closed.stop();
      await yard.stop();
    },
  };
}

/** @returns the name of the image */
export async function pushShell({ engine }: Pick<Yard, "engine">, registry: TestRegistry): Promise<string> {
  const name = `${registry.host}/shell:1`;
  await importShell(engine.docker, name);
  const { username, password, host } = registry;
  const authconfig = { username, password, serveraddress: host };
  for await (const _ of await engine.docker.getImage(name).push({ authconfig }));
  await engine.docker.getImage(name).remove({ noprune: true });
  return name;
}
