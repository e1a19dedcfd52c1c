import { type Checksums, checksumsOf, decoded, demandKey, No } from "./answer.ts";

export type PackageType = "docker" | "maven" | "npm" | "pypi" | "generic";

export interface Kept {
  bytes: Buffer;
  checksums: Checksums;
  created: string;
}

/** Rights of the one user there is; change them at will. */
export interface Rights {
  deploy: boolean;
  overwrite: boolean;
  annotate: boolean;
}

export type Properties = Record<string, string[]>;

/** What lies in the repositories, and what is said of it. Paths are `<repository>/<path>`. */
export class Storage {
  readonly types: Map<string, PackageType>;
  readonly files = new Map<string, Kept>();
  readonly properties = new Map<string, Properties>();

  constructor(repositories: Record<string, PackageType>) {
    this.types = new Map(Object.entries(repositories));
  }

  typeOf(path: string): PackageType {
    const type = this.types.get(path.split("/")[0] ?? "");
    if (type === undefined) throw new No(404, `no repository for ${path}`);
    return type;
  }

  keep(path: string, bytes: Buffer, properties: Properties = {}): Kept {
    const kept = { bytes, checksums: checksumsOf(bytes), created: "2026-01-02T03:04:05.000Z" };
    this.files.set(path, kept);
    if (Object.keys(properties).length > 0) this.annotate(path, properties);
    return kept;
  }

  annotate(path: string, properties: Properties): void {
    this.properties.set(path, { ...this.properties.get(path), ...properties });
  }

  /** Right in a folder. */
  within(folder: string): [path: string, kept: Kept][] {
    return [...this.files].filter(([path]) => path.startsWith(`${folder}/`));
  }

  withChecksum(kind: keyof Checksums, hex: string): [path: string, kept: Kept][] {
    return [...this.files].filter(([, kept]) => kept.checksums[kind] === hex);
  }
}

/**
 * `;key=value` of a path, each part of them encoded, behind the repository or the file: the real one takes them behind any
 * segment, and so mistakes a slash that was not encoded. @returns the path without them, still encoded
 */
export function splitMatrix(raw: string): { path: string; properties: Properties } {
  const properties: Properties = {};
  const path = raw
    .split("/")
    .map((segment, index, all) => {
      const [name = "", ...parameters] = segment.split(";");
      if (parameters.length > 0 && index > 0 && index < all.length - 1) throw new No(400, `a slash in ${raw}`);
      for (const parameter of parameters) {
        const [key = "", value, ...rest] = parameter.split("=");
        if (value === undefined || rest.length > 0)
          throw new No(400, `a matrix parameter is no key=value: ${parameter}`);
        const name = demandKey(decoded(key, "a matrix parameter"));
        properties[name] = [...(properties[name] ?? []), decoded(value, "a matrix parameter")];
      }
      return name;
    })
    .join("/");
  return { path, properties };
}

/** `properties=a=1;b=x%5C,y` of "Set Item Properties". */
export function readProperties(raw: string): Properties {
  const properties: Properties = {};
  for (const pair of raw.split(";")) {
    const [key = "", value, ...rest] = pair.split("=");
    if (value === undefined || rest.length > 0) throw new No(400, `a property is no key=value: ${pair}`);
    const text = decoded(value, "a property");
    // What stands without a backslash before it means something else than itself.
    const values = text.match(/(?:\\.|[^\\,])+/gs) ?? [];
    if (/(?:^|[^\\])(?:\\\\)*[|=;]/.test(text)) throw new No(400, `a property's value is not escaped: ${text}`);
    properties[demandKey(decoded(key, "a property"))] = values.map((each) => each.replace(/\\(.)/gs, "$1"));
  }
  return properties;
}
