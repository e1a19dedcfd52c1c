import { type Engine, sharedEngineVariable, startEngine } from "./engine.ts";

let engine: Engine;

/** One engine for all test files of a run of the whole suite, required by scripts/test.mjs. */
export async function mochaGlobalSetup(): Promise<void> {
  engine = await startEngine({ own: true });
  process.env[sharedEngineVariable] = engine.socket;
}

export async function mochaGlobalTeardown(): Promise<void> {
  delete process.env[sharedEngineVariable];
  await engine.stop();
}
