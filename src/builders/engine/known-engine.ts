import type Dockerode from "dockerode";
import { type EngineFacts, recentEngineFacts } from "../engine.ts";
import { Bases, type RegistryAuth } from "./bases.ts";

/** What a builder keeps of its engine from one build to the next. */
export interface KnownEngine {
  bases: Bases;
  facts(): Promise<EngineFacts>;
}

export function knownEngine(docker: Dockerode, registryAuth: RegistryAuth): KnownEngine {
  return { bases: new Bases(docker, registryAuth), facts: recentEngineFacts(docker) };
}
