import type { EBSClient } from "@aws-sdk/client-ebs";
import type { EC2Client, Image, RegisterImageCommandInput, Snapshot } from "@aws-sdk/client-ec2";
import { Refused } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";
import { ask, isAnswer, type Question } from "../protocols/aws/ask.ts";
import { clientSettings, lazily } from "../protocols/aws/sdk.ts";

/** What the image and its snapshot are found by. */
export const TAGS = { digest: "dev.deliverd.digest", size: "dev.deliverd.size" } as const;

export interface Machine {
  architecture: "x86_64" | "arm64";
  /** Null: what the architecture's instances boot by. */
  bootMode: "uefi" | "legacy-bios" | "uefi-preferred" | null;
  rootDevice: string;
}

type Tags = Record<string, string>;

export interface Registration {
  name: string;
  snapshotId: string;
  machine: Machine;
  tags: Tags;
}

/**
 * What machine images need of EC2 and of the EBS direct API. Every method throws as `ask` does.
 * @see https://docs.aws.amazon.com/ebs/latest/APIReference/
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
 */
export class AmiApi {
  readonly label: string;
  readonly region: string;
  readonly #ec2: () => Promise<{ sdk: typeof import("@aws-sdk/client-ec2"); client: EC2Client }>;
  readonly #ebs: () => Promise<{ sdk: typeof import("@aws-sdk/client-ebs"); client: EBSClient }>;

  constructor(key: string, region: string) {
    this.label = `registry ${key} (machine images in ${region})`;
    this.region = region;
    this.#ec2 = lazily(async () => {
      const sdk = await import("@aws-sdk/client-ec2");
      return { sdk, client: new sdk.EC2Client(clientSettings(region)) };
    });
    this.#ebs = lazily(async () => {
      const sdk = await import("@aws-sdk/client-ebs");
      return { sdk, client: new sdk.EBSClient(clientSettings(region)) };
    });
  }

  /** Our own account's image of that name; null: there is none. */
  async image(name: string, signal: AbortSignal): Promise<Image | null> {
    const { sdk, client } = await this.#ec2();
    const order = new sdk.DescribeImagesCommand({ Owners: ["self"], Filters: [{ Name: "name", Values: [name] }] });
    const question = this.#question("ec2:DescribeImages", signal);
    const { Images = [] } = await ask(question, () => client.send(order, { abortSignal: signal }));
    return Images[0] ?? null;
  }

  async register(image: Registration, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#ec2();
    const order = new sdk.RegisterImageCommand(orderOf(image));
    const question = this.#question("ec2:RegisterImage (with ec2:CreateTags)", signal);
    await ask(question, () => client.send(order, { abortSignal: signal }));
  }

  /** Asks for the right to register, which EC2 answers without doing it. */
  async tryRegister(image: Registration, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#ec2();
    const order = new sdk.RegisterImageCommand({ ...orderOf(image), DryRun: true });
    const question = this.#question("ec2:RegisterImage (with ec2:CreateTags)", signal);
    try {
      await ask(question, () => client.send(order, { abortSignal: signal }));
    } catch (error) {
      if (!isAnswer(error, "DryRunOperation")) throw error;
    }
  }

  /** Our own account's snapshots that are tagged with the content. */
  async snapshotsOf(digest: Digest, signal: AbortSignal): Promise<Snapshot[]> {
    const { sdk, client } = await this.#ec2();
    const Filters = [{ Name: `tag:${TAGS.digest}`, Values: [digest] }];
    const order = new sdk.DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters });
    const question = this.#question("ec2:DescribeSnapshots", signal);
    return (await ask(question, () => client.send(order, { abortSignal: signal }))).Snapshots ?? [];
  }

  async snapshot(id: string, signal: AbortSignal): Promise<Snapshot | null> {
    const { sdk, client } = await this.#ec2();
    const order = new sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] });
    const question = this.#question("ec2:DescribeSnapshots", signal);
    return (await ask(question, () => client.send(order, { abortSignal: signal }))).Snapshots?.[0] ?? null;
  }

  /** @param size bytes of the disk @param token the same for the same snapshot: AWS then begins it once */
  async start(
    { size, token, tags }: { size: number; token: string; tags: Tags },
    signal: AbortSignal,
  ): Promise<string> {
    const { sdk, client } = await this.#ebs();
    const VolumeSize = Math.max(1, Math.ceil(size / 2 ** 30));
    const order = new sdk.StartSnapshotCommand({
      ...{ VolumeSize, Tags: listed(tags), ClientToken: token },
      Description: `deliverd ${tags[TAGS.digest] ?? ""}`,
    });
    const question = this.#question("ebs:StartSnapshot (with ec2:CreateTags)", signal);
    const { SnapshotId } = await ask(question, () => client.send(order, { abortSignal: signal }));
    if (SnapshotId !== undefined) return SnapshotId;
    throw new Refused("registry-refused", `${this.label} began a snapshot without a name.`);
  }

  /** @param checksum SHA-256 of the bytes, in base64 */
  async put(
    block: { snapshotId: string; index: number; bytes: Buffer; checksum: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { sdk, client } = await this.#ebs();
    const order = new sdk.PutSnapshotBlockCommand({
      SnapshotId: block.snapshotId,
      BlockIndex: block.index,
      BlockData: block.bytes,
      DataLength: block.bytes.length,
      Checksum: block.checksum,
      ChecksumAlgorithm: "SHA256",
    });
    const question = this.#question("ebs:PutSnapshotBlock", signal);
    await ask(question, () => client.send(order, { abortSignal: signal }));
  }

  /** @param checksum as `aggregateOf` gives it */
  async complete(
    { snapshotId, count, checksum }: { snapshotId: string; count: number; checksum: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { sdk, client } = await this.#ebs();
    const order = new sdk.CompleteSnapshotCommand({
      ...{ SnapshotId: snapshotId, ChangedBlocksCount: count, Checksum: checksum },
      ...{ ChecksumAlgorithm: "SHA256" as const, ChecksumAggregationMethod: "LINEAR" as const },
    });
    const question = this.#question("ebs:CompleteSnapshot", signal);
    await ask(question, () => client.send(order, { abortSignal: signal }));
  }

  /** Which blocks a completed snapshot holds, in their order. */
  async *list(snapshotId: string, signal: AbortSignal): AsyncGenerator<{ index: number; token: string }[]> {
    const { sdk, client } = await this.#ebs();
    const question = this.#question("ebs:ListSnapshotBlocks", signal);
    let NextToken: string | undefined;
    do {
      const order = new sdk.ListSnapshotBlocksCommand({ SnapshotId: snapshotId, MaxResults: 1000, NextToken });
      const page = await ask(question, () => client.send(order, { abortSignal: signal }));
      yield (page.Blocks ?? []).map(({ BlockIndex = 0, BlockToken = "" }) => ({
        index: BlockIndex,
        token: BlockToken,
      }));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
  }

  async get(block: { snapshotId: string; index: number; token: string }, signal: AbortSignal): Promise<Buffer> {
    const { sdk, client } = await this.#ebs();
    const { snapshotId: SnapshotId, index: BlockIndex, token: BlockToken } = block;
    const order = new sdk.GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken });
    const question = this.#question("ebs:GetSnapshotBlock", signal);
    return ask(question, async () => {
      const { BlockData } = await client.send(order, { abortSignal: signal });
      return Buffer.from((await BlockData?.transformToByteArray()) ?? []);
    });
  }

  #question(right: string, signal: AbortSignal): Question {
    return { registry: this.label, right, signal };
  }
}

function orderOf({ name, snapshotId, machine, tags }: Registration): RegisterImageCommandInput {
  const { architecture, bootMode, rootDevice } = machine;
  return {
    Name: name,
    Architecture: architecture,
    VirtualizationType: "hvm",
    EnaSupport: true,
    ...(bootMode !== null && { BootMode: bootMode }),
    RootDeviceName: rootDevice,
    BlockDeviceMappings: [
      { DeviceName: rootDevice, Ebs: { SnapshotId: snapshotId, VolumeType: "gp3", DeleteOnTermination: true } },
    ],
    TagSpecifications: [{ ResourceType: "image", Tags: listed(tags) }],
  };
}

/** AWS takes 256 characters of a value. */
function listed(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, value]) => ({ Key, Value: value.slice(0, 256) }));
}
