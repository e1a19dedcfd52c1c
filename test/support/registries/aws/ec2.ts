import { randomBytes } from "node:crypto";
import { demandTags, type Ebs, type Snapshot, type Tag } from "./ebs.ts";
import { account } from "./ecr.ts";
import type { Struct } from "./model.ts";
import { Fault } from "./write.ts";

export interface Image {
  id: string;
  input: Struct;
  tags: Tag[];
  snapshotId: string;
  state: "pending" | "available" | "failed";
  lag: number;
}

type Filter = { Name: string; Values: string[] };

/** What of EC2 machine images need. */
export class Ec2 {
  readonly images = new Map<string, Image>();
  /** How often a new image is still pending. */
  lag = 1;
  /** What becomes of new images. */
  outcome: "available" | "failed" = "available";
  readonly #ebs: Ebs;

  constructor(ebs: Ebs) {
    this.#ebs = ebs;
  }

  answer(operation: string, input: Struct): Struct {
    if (operation === "RegisterImage") return this.#register(input);
    if (operation === "DescribeImages") return this.#describeImages(input);
    if (operation === "DescribeSnapshots") return this.#describeSnapshots(input);
    throw new Fault(400, "InvalidAction", `the stand-in of EC2 knows no ${operation}`);
  }

  /** An image of another's hand. */
  add(name: string, tags: Tag[] = []): Image {
    const id = `ami-${randomBytes(9).toString("hex").slice(0, 17)}`;
    const image: Image = { id, input: { Name: name }, tags, snapshotId: "", state: "available", lag: 0 };
    this.images.set(id, image);
    return image;
  }

  #register(input: Struct): Struct {
    const name = String(input.Name);
    if (!/^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name)) throw new Fault(400, "InvalidAMIName.Malformed", name);
    if ([...this.images.values()].some((image) => image.input.Name === name)) {
      throw new Fault(400, "InvalidAMIName.Duplicate", `AMI name ${name} is already in use by AMI`);
    }
    if (!["x86_64", "arm64"].includes(String(input.Architecture))) throw new Fault(400, "InvalidParameterValue");
    if (input.VirtualizationType !== "hvm") throw new Fault(400, "InvalidParameterValue", "VirtualizationType");
    if (input.BootMode !== undefined && !/^(?:uefi|legacy-bios|uefi-preferred)$/.test(String(input.BootMode))) {
      throw new Fault(400, "InvalidParameterValue", "BootMode");
    }
    if (input.DryRun === true) throw new Fault(412, "DryRunOperation", "Request would have succeeded.");
    const mappings = (input.BlockDeviceMappings ?? []) as { DeviceName?: string; Ebs?: { SnapshotId?: string } }[];
    const root = mappings.find(({ DeviceName }) => DeviceName === input.RootDeviceName);
    const snapshot = this.#ebs.snapshots.get(root?.Ebs?.SnapshotId ?? "");
    if (root === undefined) throw new Fault(400, "InvalidBlockDeviceMapping", "there is no root device");
    if (snapshot === undefined) throw new Fault(400, "InvalidSnapshot.NotFound", "The snapshot does not exist.");
    if (snapshot.status !== "completed") throw new Fault(400, "IncorrectState", "The snapshot is not completed.");
    const specifications = (input.TagSpecifications ?? []) as unknown as { ResourceType: string; Tags: Tag[] }[];
    if (specifications.some(({ ResourceType }) => ResourceType !== "image")) {
      throw new Fault(400, "InvalidParameterValue", "ResourceType");
    }
    const tags = specifications.flatMap(({ Tags }) => Tags);
    demandTags(tags);
    const id = `ami-${randomBytes(9).toString("hex").slice(0, 17)}`;
    this.images.set(id, { id, input, tags, snapshotId: snapshot.id, state: "pending", lag: this.lag });
    return { ImageId: id };
  }

  #describeImages(input: Struct): Struct {
    if (String(input.Owners) !== "self") throw new Fault(400, "InvalidParameterValue", "Owners: the whole world's");
    const filters = (input.Filters ?? []) as Filter[];
    for (const image of this.images.values()) {
      if (image.state === "pending" && image.lag-- <= 0) image.state = this.outcome;
    }
    const found = [...this.images.values()].filter((image) =>
      matches(filters, image.tags, { name: String(image.input.Name), state: image.state }),
    );
    return { Images: found.map(describeImage) };
  }

  #describeSnapshots(input: Struct): Struct {
    if (String(input.OwnerIds ?? "self") !== "self") throw new Fault(400, "InvalidParameterValue", "OwnerIds");
    const filters = (input.Filters ?? []) as Filter[];
    const ids = input.SnapshotIds as string[] | undefined;
    if (ids === undefined && input.OwnerIds === undefined) throw new Fault(400, "InvalidParameterValue", "OwnerIds");
    for (const id of ids ?? []) {
      if (!this.#ebs.snapshots.has(id)) throw new Fault(400, "InvalidSnapshot.NotFound", `${id} does not exist`);
    }
    const found = [...this.#ebs.snapshots.values()].filter(
      (each) => (ids ?? [each.id]).includes(each.id) && matches(filters, each.tags, { status: each.status }),
    );
    return { Snapshots: found.map((each) => describeSnapshot(each)) };
  }
}

function describeImage({ id, input, tags, snapshotId, state }: Image): Struct {
  const device = { DeviceName: input.RootDeviceName ?? "/dev/xvda", Ebs: { SnapshotId: snapshotId } };
  return {
    ...{ ImageId: id, Name: input.Name, OwnerId: account, State: state },
    ...{ RootDeviceName: device.DeviceName, BlockDeviceMappings: [device], Tags: tags as unknown as Struct[] },
    ...(state === "failed" && { StateReason: { Code: "Client.Broken", Message: "the disk holds no system" } }),
  };
}

function describeSnapshot(snapshot: Snapshot): Struct {
  if (snapshot.status === "pending" && snapshot.lag !== null && snapshot.lag-- <= 0) snapshot.status = "completed";
  const { id, status, tags } = snapshot;
  return { SnapshotId: id, State: status, Progress: "50%", Tags: tags as unknown as Struct[] };
}

function matches(filters: Filter[], tags: Tag[], facts: Record<string, string>): boolean {
  return filters.every(({ Name, Values }) => {
    const value = Name.startsWith("tag:") ? tags.find(({ Key }) => `tag:${Key}` === Name)?.Value : facts[Name];
    if (!Name.startsWith("tag:") && !(Name in facts)) throw new Fault(400, "InvalidParameterValue", Name);
    return value !== undefined && Values.includes(value);
  });
}
