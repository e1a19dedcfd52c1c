import { createHash } from "node:crypto";
import { type Door, type Refusal, startDoor, type Visit } from "./door.ts";
import { account } from "./ecr.ts";
import type { Struct } from "./model.ts";
import { Tokens } from "./tokens.ts";
import { Fault } from "./write.ts";

interface PackageVersion {
  status: "Unfinished" | "Published";
  assets: Map<string, Buffer>;
}

/** CodeArtifact: generic packages are its own; those of package managers are kept by real servers behind its endpoints. */
export class CodeArtifact {
  readonly tokens = new Tokens();
  readonly versions = new Map<string, PackageVersion>();
  /** Assets a page, at most. */
  page = 100;
  /** What is done to a visit at a door before AWS looks at it. */
  atDoor: (visit: Visit) => Refusal | null = () => null;
  readonly #doors = new Map<string, Door>();

  /** @param format as in `npm` @param behind the real server, and what it wants as Authorization */
  async open(
    format: string,
    behind: { url: string; authorization: string; inside?: (path: string) => string },
  ): Promise<Door> {
    const door = await startDoor({
      target: behind.url,
      authorization: behind.authorization,
      ...(behind.inside && { inside: behind.inside }),
      prefix: `/${format}/main/`,
      refuse: (visit) => this.#refuse(format, visit),
    });
    this.#doors.set(format, door);
    return door;
  }

  async stop(): Promise<void> {
    for (const door of this.#doors.values()) await door.stop();
  }

  version(format: string, namespace: string, name: string, version: string): PackageVersion | undefined {
    return this.versions.get([format, namespace, name, version].join(" "));
  }

  answer(operation: string, input: Struct): Struct {
    if (input.domain !== "acme" || input.domainOwner !== account) {
      throw new Fault(404, "ResourceNotFoundException", `Domain not found. Domain name: ${input.domain}`);
    }
    if (operation === "GetAuthorizationToken") return this.#token(input);
    if (input.repository !== "main") throw new Fault(404, "ResourceNotFoundException", "Repository not found.");
    if (operation === "GetRepositoryEndpoint") return this.#endpoint(String(input.format));
    if (operation === "PublishPackageVersion") return this.#publish(input);
    const { format, namespace = "", package: name, packageVersion } = input;
    const found = this.version(String(format), String(namespace), String(name), String(packageVersion));
    if (found === undefined) throw new Fault(404, "ResourceNotFoundException", "Package version not found.");
    if (operation === "DescribePackageVersion") {
      return {
        packageVersion: { format, namespace, packageName: name, version: packageVersion, status: found.status },
      };
    }
    if (operation === "ListPackageVersionAssets") return this.#list(found, input);
    if (operation === "GetPackageVersionAsset") return this.#get(found, String(input.asset));
    throw new Fault(400, "ValidationException", `the stand-in of CodeArtifact knows no ${operation}`);
  }

  #token({ durationSeconds = 43_200 }: Struct): Struct {
    const seconds = Number(durationSeconds);
    // https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html
    if (seconds !== 0 && (seconds < 900 || seconds > 43_200)) throw new Fault(400, "ValidationException", "duration");
    const { token, expires } = this.tokens.issue();
    return { authorizationToken: token, expiration: expires };
  }

  #endpoint(format: string): Struct {
    if (format === "generic") return { repositoryEndpoint: "https://acme.example/generic/main/" };
    const door = this.#doors.get(format);
    if (door === undefined) throw new Fault(400, "ValidationException", "format");
    return { repositoryEndpoint: `${door.url}/${format}/main/` };
  }

  #publish(input: Struct): Struct {
    const { format, namespace, package: name, packageVersion: version } = input;
    if (format !== "generic") throw new Fault(400, "ValidationException", "format: generic alone can be published");
    const texts = [namespace, name, version].map((text) => String(text ?? "-"));
    if (texts.some((text) => !/^[^#/\s]{1,255}$/.test(text))) throw new Fault(400, "ValidationException", "a name");
    const bytes = input.assetContent as Buffer;
    if (sha256(bytes) !== input.assetSHA256) throw new Fault(400, "ValidationException", "assetSHA256");
    const key = [format, namespace ?? "", name, version].join(" ");
    const known = this.versions.get(key) ?? { status: "Unfinished", assets: new Map() };
    const standing = known.assets.get(String(input.assetName));
    if (standing && !standing.equals(bytes)) throw new Fault(409, "ConflictException", "The asset exists already.");
    if (!standing && known.status === "Published")
      throw new Fault(409, "ConflictException", "The version is published.");
    known.assets.set(String(input.assetName), bytes);
    if (input.unfinished !== true) known.status = "Published";
    this.versions.set(key, known);
    const asset = describe(String(input.assetName), bytes);
    return { format, namespace, package: name, version, status: known.status, versionRevision: "r", asset };
  }

  #list({ assets }: PackageVersion, input: Struct): Struct {
    const from = Number(input.nextToken ?? 0);
    const all = [...assets].map(([name, bytes]) => describe(name, bytes));
    const next = from + this.page;
    return { assets: all.slice(from, next), ...(next < all.length && { nextToken: String(next) }) };
  }

  #get({ assets }: PackageVersion, name: string): Struct {
    const asset = assets.get(name);
    if (asset === undefined) throw new Fault(404, "ResourceNotFoundException", "Asset not found.");
    return { asset, assetName: name };
  }

  #refuse(format: string, visit: Visit): Refusal | null {
    const planted = this.atDoor(visit);
    if (planted !== null) return planted;
    const { authorization } = visit.headers;
    const scheme = format === "npm" ? "Bearer" : "Basic";
    if (authorization?.startsWith(scheme) !== true || !this.tokens.admits(authorization, "aws")) {
      return { status: 401, headers: { "WWW-Authenticate": 'Basic realm="codeartifact"' } };
    }
    return format === "maven" ? this.#refuseMaven(visit) : null;
  }

  /** A version is unfinished, and not to be had, until its metadata are put; an asset never changes. */
  #refuseMaven({ method, path, body }: Visit): Refusal | null {
    const parts = decodeURIComponent(path).split("/").slice(3);
    const file = parts.pop() ?? "";
    if (file === "maven-metadata.xml") {
      const [name, group] = [parts.at(-1), parts.slice(0, -1).join(".")];
      for (const [, version] of method === "PUT" ? body.toString().matchAll(/<version>([^<]+)</g) : []) {
        const listed = this.version("maven", group, name ?? "", version ?? "");
        if (listed) listed.status = "Published";
      }
      return null;
    }
    if (/^maven-metadata|\.(?:sha1|md5|sha256)$/.test(file) || !/^(?:GET|HEAD|PUT)$/.test(method)) return null;
    const [version = "", name = ""] = [parts.pop(), parts.pop()];
    const key = ["maven", parts.join("."), name, version].join(" ");
    const known = this.versions.get(key) ?? { status: "Unfinished", assets: new Map<string, Buffer>() };
    if (method !== "PUT") return known.status === "Unfinished" ? { status: 404 } : null;
    const standing = known.assets.get(file);
    if (standing) return { status: standing.equals(body) ? 200 : 409 };
    known.assets.set(file, body);
    this.versions.set(key, known);
    return null;
  }
}

function describe(name: string, bytes: Buffer): Struct {
  return { name, size: bytes.length, hashes: { "SHA-256": sha256(bytes) } };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
