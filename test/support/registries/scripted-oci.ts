import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import type { ImageRegistry } from "../../../src/registries/protocols/oci/image-registry.ts";
import { Store } from "../../../src/store/store.ts";
import { tempDir } from "../processes/process.ts";
import { LOGIN, type ScriptedRegistry, startScriptedRegistry } from "./scripted-registry.ts";

type OciParts = Partial<Parameters<typeof ociRegistry>[2]>;

export interface ScriptedOci {
  /** A new scripted registry for each test. */
  server: ScriptedRegistry;
  /** One store for all tests of the suite. */
  store: Store;
  /** A client of `server` that knows of no earlier one, as after a restart. It logs in where the suite asks for `auth`. */
  open(parts?: OciParts): ImageRegistry;
}

/** Call it inside a `describe`: it adds the hooks that start and stop a scripted OCI registry with a store beside it. */
export function useScriptedOci({ auth = false } = {}): ScriptedOci {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  const suite = {
    open: (parts) =>
      ociRegistry("local", { url: suite.server.url, ...(auth ? LOGIN : {}) }, { store: suite.store, ...parts }),
  } as ScriptedOci;
  before(async () => {
    dir = await tempDir();
    suite.store = new Store(dir.path);
  });
  beforeEach(async () => {
    suite.server = await startScriptedRegistry({ auth });
  });
  afterEach(() => suite.server?.stop());
  after(() => dir?.remove());
  return suite;
}
