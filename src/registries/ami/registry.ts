import type { Writable } from "node:stream";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Image } from "@aws-sdk/client-ec2";
import { ConfigError, Refused, TransientError, UserError } from "../../delivery/errors.ts";
import type { Frozen } from "../../delivery/frozen.ts";
import type { ArtifactName, Location, RegistryName } from "../../delivery/types.ts";
import type { Run } from "../../run/run.ts";
import type { Store } from "../../store/store.ts";
import { isAnswer } from "../protocols/aws/ask.ts";
import { verified } from "../protocols/http/verified.ts";
import type { Found, Registry, StampedContent } from "../registry.ts";
import { AmiApi, type Machine, TAGS } from "./api.ts";
import { joined } from "./blocks.ts";
import { blocksIn } from "./read.ts";
import { available, snapshotOf, type Writing } from "./write.ts";

/** `registries.<key>` of type `ami`. */
export interface AmiConfig extends Machine {
  region: string;
  /** What people are told in place of the address of the AWS console. */
  publicUrl?: string | null | undefined;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html, Name */
const NAME = /^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/;

/**
 * AWS EC2 machine images. The disk goes into a snapshot, block by block (EBS direct API). EC2 registers an image of it.
 * No machine is started for it.
 */
class AmiRegistry implements Registry {
  readonly #key: string;
  readonly #config: AmiConfig;
  readonly #store: Store;
  readonly #interval: number;
  readonly #api: AmiApi;
  readonly #put: Writing["put"] = new Map();

  constructor(key: string, config: AmiConfig, store: Store, interval: number) {
    this.#key = key;
    this.#config = config;
    this.#store = store;
    this.#interval = interval;
    this.#api = new AmiApi(key, config.region);
  }

  async check(): Promise<void> {
    const signal = AbortSignal.timeout(60_000);
    try {
      const machine = this.#config;
      await this.#api.image("deliverd-check", signal);
      // Of a snapshot that there cannot be.
      const snapshotId = "snap-00000000000000000";
      await this.#api.tryRegister({ name: "deliverd-check", snapshotId, machine, tags: {} }, signal);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new ConfigError(error.code, `registries.${this.#key}: ${error.message}`, { cause: error });
    }
  }

  async find({ repository }: ArtifactName, run: Run): Promise<Found | null> {
    const image = await this.#api.image(requireName(repository), run.signal);
    return image === null ? null : { digest: digestIn(image) };
  }

  async upload(content: StampedContent, name: ArtifactName, run: Run): Promise<void> {
    await snapshotOf(this.#writing(content, name, run));
  }

  async publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location> {
    const writing = this.#writing(content, name, run);
    const found = await this.find(name, run);
    if (found === null) await this.#register(writing, name);
    else if (found.digest !== content.digest) throw this.#taken(name, found, content);
    const id = await available(writing, name.repository);
    run.log.line(`${this.#api.label}: ${name.repository} is ${id}`);
    const { region, publicUrl } = this.#config;
    const page = publicUrl ?? `https://${region}.console.aws.amazon.com`;
    return {
      ...{ registry: this.#key, repository: name.repository, tag: name.tag },
      digest: content.digest,
      url: `${page}/ec2/home?region=${region}#ImageDetails:imageId=${id}`,
      pull:
        `aws ec2 describe-images --region ${region} --owners self ` +
        `--filters Name=tag:${TAGS.digest},Values=${content.digest}`,
    };
  }

  async restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    const snapshotId = await this.#snapshotBehind(name, content, run);
    if (snapshotId === null) return false;
    const bytes = joined(blocksIn(this.#api, snapshotId, run.signal), content.size);
    await this.#store.write(Readable.from(bytes), { expect: content.digest, maxBytes: content.size });
    return true;
  }

  async pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    const snapshotId = await this.#snapshotBehind(name, content, run);
    if (snapshotId === null) {
      throw new Refused("content-gone", `${this.#api.label} no longer has ${name.repository} with ${content.digest}.`);
    }
    const bytes = Readable.from(joined(blocksIn(this.#api, snapshotId, run.signal), content.size));
    await pipeline(verified(bytes, content, this.#api.label), into, { signal: run.signal });
  }

  async #register(writing: Writing, name: ArtifactName): Promise<void> {
    const { content, tags, run } = writing;
    const snapshotId = await snapshotOf(writing);
    try {
      const order = { name: name.repository, snapshotId, machine: this.#config, tags };
      await this.#api.register(order, run.signal);
    } catch (error) {
      if (!isAnswer(error, "InvalidAMIName.Duplicate")) throw error;
      // Our own, whose answer was lost, or another's since we looked.
      const found = await this.find(name, run);
      if (found === null) throw new TransientError("registry-unavailable", (error as Error).message, { cause: error });
      if (found.digest !== content.digest) throw this.#taken(name, found, content);
    }
  }

  /** The root disk's snapshot of the image, where that is still the one of this content. */
  async #snapshotBehind({ repository }: RegistryName, { digest }: Frozen, run: Run): Promise<string | null> {
    const image = await this.#api.image(repository, run.signal);
    if (image === null || digestIn(image) !== digest) return null;
    const root = image.BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === image.RootDeviceName);
    return root?.Ebs?.SnapshotId ?? null;
  }

  #writing(content: StampedContent, name: ArtifactName, run: Run): Writing {
    requireName(name.repository);
    if (content.files?.length !== 1) {
      throw new UserError(
        "ami-not-one-file",
        `${name.repository}: \`files\` matches ${content.files?.length ?? 0} files. ` +
          "A machine image is one raw disk image: let it match only the disk.",
      );
    }
    const size = String(content.size);
    const tags = {
      ...content.metadata,
      ...{ Name: name.repository, [TAGS.digest]: content.digest, [TAGS.size]: size },
    };
    return {
      ...{ api: this.#api, store: this.#store, content, tags },
      ...{ put: this.#put, interval: this.#interval, run },
    };
  }

  #taken({ repository }: ArtifactName, { digest }: Found, ours: Frozen): Refused {
    return new Refused(
      "name-taken",
      `${this.#api.label}: ${repository} is ${digest} already, and may not be changed to ${ours.digest}. ` +
        "Deliver under another version, or find out who made it.",
    );
  }
}

function requireName(name: string): string {
  if (NAME.test(name)) return name;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(name.slice(0, 150))} is not the name of a machine image: ` +
      `use 3 to 128 letters, digits, spaces and ( ) [ ] . / - ' @ _`,
  );
}

/** What our own tag says; an image that another made, by its id. */
function digestIn({ ImageId = "", Tags = [] }: Image): string {
  const digest = Tags.find(({ Key }) => Key === TAGS.digest)?.Value;
  return digest === undefined ? `${ImageId}, without the tag ${TAGS.digest},` : digest;
}

/**
 * Nothing is loaded or asked here.
 * @param interval ms between two looks at a snapshot or image that is still being made
 */
export function amiRegistry(key: string, config: AmiConfig, { store }: { store: Store }, interval = 5_000): Registry {
  return new AmiRegistry(key, config, store, interval);
}
