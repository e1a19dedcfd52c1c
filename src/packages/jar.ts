import { parseXml, XmlElement } from "@rgrove/parse-xml";
import type { PackageIdentity } from "../delivery/types.ts";
import { type ArchiveSource, atMostOne, readZip, UnreadablePackage } from "./archive.ts";
import { readProperties } from "./java-properties.ts";

/**
 * The name and version that Maven packed into a jar. Null: there are none, or those of several projects, as in a jar
 * with its dependencies. @throws UnreadablePackage
 */
export async function readJar(source: ArchiveSource): Promise<PackageIdentity | null> {
  const packed = await readZip(source, (path) => /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.(?:xml|properties)$/.test(path));
  const folders = new Set(packed.map(({ path }) => path.slice(0, path.lastIndexOf("/"))));
  const [folder] = folders;
  if (folder === undefined || folders.size > 1) return null;
  const at = (name: string) => atMostOne(packed.filter(({ path }) => path === `${folder}/${name}`));
  // In pom.properties Maven has filled in all properties.
  const [properties, xml] = [at("pom.properties"), at("pom.xml")];
  return (properties && ofProperties(properties.bytes)) ?? (xml && readPom(xml.bytes, xml.path));
}

function ofProperties(bytes: Buffer): PackageIdentity | null {
  const properties = readProperties(bytes.toString("latin1"));
  const value = (key: string) => properties.get(key)?.trim();
  return coordinates(value("groupId"), value("artifactId"), value("version"));
}

/** @param name for errors. @throws UnreadablePackage */
export function readPom(bytes: Buffer, name: string): PackageIdentity {
  const project = rootOf(bytes.toString("utf8"), name);
  const parent = childOf(project, "parent");
  const own = (key: string) => childOf(project, key)?.text.trim();
  const inherited = (key: string) => own(key) || (parent ? childOf(parent, key)?.text.trim() : undefined);
  const identity = coordinates(inherited("groupId"), own("artifactId"), inherited("version"));
  if (identity === null) throw new UnreadablePackage(`${name} has no groupId, artifactId or version`);
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
    // The error below says what was expected.
  }
  throw new UnreadablePackage(`${name} is not a POM: expected XML with the root element project`);
}

function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child): child is XmlElement => child instanceof XmlElement && child.name === name);
}
