import { parseXml, XmlElement } from "@rgrove/parse-xml";
import type { JarFiles } from "../../../delivery/package-files.ts";
import type { FrozenFile, PackageIdentity } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";
import { readFromZip, Unreadable } from "./archives.ts";

const largestPom = 2 ** 20;

/**
 * By the POM beside it, else by the one that Maven packed into it. Null: neither is there, or those of several projects
 * are, as in a jar that holds its dependencies.
 * @throws Unreadable
 */
export async function jarIdentity(store: Store, { main, pom }: JarFiles<FrozenFile>): Promise<PackageIdentity | null> {
  const packed = await readFromZip(store, main, (path) =>
    /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.(?:xml|properties)$/.test(path),
  );
  if (pom !== null) return ofPom(await textOf(store, pom), pom.name);
  const folders = new Set([...packed.keys()].map((path) => path.slice(0, path.lastIndexOf("/"))));
  const [folder] = folders;
  if (folder === undefined || folders.size > 1) return null;
  // Maven has written its values there with every property filled in.
  const properties = packed.get(`${folder}/pom.properties`);
  const xml = packed.get(`${folder}/pom.xml`);
  return (properties === undefined ? null : ofProperties(properties)) ?? (xml ? ofPom(xml, `${folder}/pom.xml`) : null);
}

async function textOf(store: Store, { name, digest, size }: FrozenFile): Promise<string> {
  if (size > largestPom) throw new Unreadable(`${name} has more than ${largestPom} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of store.open(digest)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function ofProperties(text: string): PackageIdentity | null {
  const value = (key: string) => new RegExp(`^\\s*${key}\\s*[=:]\\s*(\\S+)\\s*$`, "m").exec(text)?.[1];
  return coordinates(value("groupId"), value("artifactId"), value("version"));
}

/** @throws Unreadable */
function ofPom(text: string, name: string): PackageIdentity {
  const project = rootOf(text, name);
  const parent = childOf(project, "parent");
  const own = (key: string) => childOf(project, key)?.text.trim();
  const inherited = (key: string) => own(key) || (parent ? childOf(parent, key)?.text.trim() : undefined);
  const identity = coordinates(inherited("groupId"), own("artifactId"), inherited("version"));
  if (identity === null) throw new Unreadable(`${name} has no groupId, artifactId or version`);
  return identity;
}

function coordinates(group?: string, artifact?: string, version?: string): PackageIdentity | null {
  return group && artifact && version ? { name: `${group}:${artifact}`, version } : null;
}

function rootOf(text: string, name: string): XmlElement {
  try {
    const { root } = parseXml(text);
    if (root?.name === "project") return root;
  } catch {
    // It is told what it should be, below.
  }
  throw new Unreadable(`${name} is no POM: expected XML with the root element project`);
}

function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child): child is XmlElement => child instanceof XmlElement && child.name === name);
}
