// One frozen image to one name by deliverd's own adapter, in a process that does nothing else. Prints the seconds that it took.

import { ociRegistry } from "../../src/registries/oci/registry.ts";
import { systemClock } from "../../src/run/clock.ts";
import { Store } from "../../src/store/store.ts";

const { STORE, REGISTRY_URL, REPOSITORY, TAG, FROZEN } = process.env;
const content = JSON.parse(FROZEN);
const registry = ociRegistry("local", { url: REGISTRY_URL }, { store: new Store(STORE) });
const name = { repository: REPOSITORY, tag: TAG, immutable: true };
const log = { write() {}, line() {} };
const run = { log, signal: new AbortController().signal, tmp: STORE, clock: systemClock };

const begin = performance.now();
await registry.upload(content, name, run);
await registry.publish(content, name, run);
process.stdout.write(`${(performance.now() - begin) / 1000}\n`);
