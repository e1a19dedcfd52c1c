import * as z from "zod";
import type { FrozenFile, PackageIdentity } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";
import { readFromTarball, Unreadable } from "./archives.ts";

const manifest = z.object({ name: z.string().min(1), version: z.string().min(1) });

/** npm takes the first folder off whatever it is called, and calls it `package` itself. @throws Unreadable */
export async function npmIdentity(store: Store, file: FrozenFile): Promise<PackageIdentity> {
  const text = await readFromTarball(store, file, (path) => /^(?:\.\/)?[^/]+\/package\.json$/.test(path));
  if (text === null) throw new Unreadable("it holds no package/package.json");
  const { success, data } = manifest.safeParse(parsed(text));
  if (!success) throw new Unreadable("its package.json has no name or no version");
  return data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return null;
  }
}
