import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Location } from "../../../../src/delivery/types.ts";
import { type AmiConfig, amiRegistry } from "../../../../src/registries/ami/registry.ts";
import type { Registry, StampedContent } from "../../../../src/registries/registry.ts";
import { Store } from "../../../../src/store/store.ts";
import { testRun } from "../../../support/fixtures/run.ts";
import { tempDir } from "../../../support/processes/process.ts";
import { blockSize } from "../../../support/registries/aws/ebs.ts";
import { freeze, type House, metadata, named, openHouse } from "../../../support/registries/aws/house.ts";
import { Fault } from "../../../support/registries/aws/write.ts";
import { demandSilence } from "./secrets.ts";

const config: AmiConfig = {
  region: "eu-west-1",
  architecture: "x86_64",
  bootMode: "uefi",
  rootDevice: "/dev/xvda",
};

/** A disk of blocks: `x` random, `.` only zeros; and so many bytes more. */
function diskOf(blocks: string, more = 0): Buffer {
  const parts = [...blocks].map((kind) => (kind === "x" ? randomBytes(blockSize) : Buffer.alloc(blockSize)));
  return Buffer.concat([...parts, randomBytes(more)]);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

describe("A registry of AMIs (against a stand-in from AWS's own model)", () => {
  let house: House;
  let registry: Registry;
  beforeEach(async () => {
    house = await openHouse();
    registry = amiRegistry("amis", config, { store: house.store }, 5);
  });
  afterEach(() => house.remove());

  const open = () => amiRegistry("amis", config, { store: house.store }, 5);
  const freezeDisk = (bytes: Buffer) => freeze(house.store, "ami", { "disk.raw": bytes });
  const pulled = async (location: Location, content: StampedContent) => {
    const sink = new PassThrough();
    const [bytes] = await Promise.all([buffer(sink), registry.pull(location, sink, testRun(), content)]);
    return bytes;
  };
  const onlySnapshot = () => {
    const [snapshot, ...others] = house.aws.ebs.snapshots.values();
    assert.ok(snapshot && others.length === 0, "one snapshot was made");
    return snapshot;
  };

  it("writes a disk into a snapshot without its empty blocks, and registers an image of it", async () => {
    const disk = diskOf("x.x..x", 1000);
    const content = await freezeDisk(disk);
    const location = await registry.publish(content, named("amis", "acme-api-1.0.0", "1.0.0"), testRun());
    const [image] = house.aws.ec2.images.values();
    const snapshot = onlySnapshot();
    assert.deepEqual([...snapshot.blocks.keys()].sort(), [0, 2, 5, 6]);
    assert.equal(snapshot.gibibytes, 1);
    const { at } = house.aws.ebs.diskOf(snapshot);
    const read = Buffer.concat(Array.from({ length: 7 }, (_, index) => at(index)));
    assert.equal(sha256(read.subarray(0, disk.length)), content.digest);
    assert.ok(read.subarray(disk.length).every((byte) => byte === 0));
    assert.deepEqual(location, {
      registry: "amis",
      ...{ repository: "acme-api-1.0.0", tag: "1.0.0" },
      digest: sha256(disk),
      url: `https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#ImageDetails:imageId=${image?.id}`,
      pull: `aws ec2 describe-images --region eu-west-1 --owners self --filters Name=tag:dev.deliverd.digest,Values=${content.digest}`,
    });
    const mapping = { SnapshotId: snapshot.id, VolumeType: "gp3", DeleteOnTermination: true };
    const { TagSpecifications, ...input } = image?.input ?? {};
    assert.deepEqual(input, {
      Name: "acme-api-1.0.0",
      Architecture: "x86_64",
      VirtualizationType: "hvm",
      EnaSupport: true,
      BootMode: "uefi",
      RootDeviceName: "/dev/xvda",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: mapping }],
    });
    const own = {
      Name: "acme-api-1.0.0",
      "dev.deliverd.digest": content.digest,
      "dev.deliverd.size": String(disk.length),
    };
    for (const tags of [image?.tags ?? [], snapshot.tags]) {
      assert.deepEqual(Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])), { ...metadata, ...own });
    }
  });

  it("returns every byte of the disk, and its exact size", async () => {
    for (const [index, disk] of [
      diskOf(".x..x.", 1),
      diskOf("..."),
      diskOf("", 10),
      diskOf("xxxxxxxxxxxx"),
    ].entries()) {
      house.aws.ebs.page = 3;
      const content = await freezeDisk(disk);
      const location = await registry.publish(content, named("amis", `disk ${index}`, "1"), testRun());
      assert.ok((await pulled(location, content)).equals(disk));
      const empty = await tempDir();
      try {
        const store = new Store(empty.path);
        const elsewhere = amiRegistry("amis", config, { store }, 5);
        assert.equal(await elsewhere.restore(location, testRun(), content), true);
        assert.equal(await store.size(content.digest), disk.length);
      } finally {
        await empty.remove();
      }
    }
  });

  it("finds an image by its name, and its content by a tag of the image", async () => {
    const name = named("amis", "found", "1.0.0");
    const content = await freezeDisk(diskOf("x"));
    assert.equal(await registry.find(name, testRun(), content), null);
    await registry.publish(content, name, testRun());
    assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
    const foreign = house.aws.ec2.add("foreign");
    const found = await registry.find(named("amis", "foreign", "1"), testRun(), content);
    assert.match(found?.digest ?? "", new RegExp(`^${foreign.id}, without the tag`));
  });

  it("accepts the same content under the same name, and refuses other content", async () => {
    const name = named("amis", "taken", "1.0.0");
    const content = await freezeDisk(diskOf("xx"));
    const first = await registry.publish(content, name, testRun());
    assert.deepEqual(await open().publish(content, name, testRun()), first);
    assert.equal(house.aws.count("StartSnapshot"), 1);
    assert.equal(house.aws.count("RegisterImage"), 1);
    await assert.rejects(registry.publish(await freezeDisk(diskOf("x")), name, testRun()), {
      name: "Refused",
      code: "name-taken",
    });
    house.aws.ec2.add("foreign");
    await assert.rejects(registry.publish(content, named("amis", "foreign", "1"), testRun()), { code: "name-taken" });
  });

  it("refuses a name that another writer registered after the check", async () => {
    const content = await freezeDisk(diskOf("x"));
    house.aws.fault = ({ operation }) => {
      if (operation === "RegisterImage") house.aws.ec2.add("raced");
      return undefined;
    };
    await assert.rejects(registry.publish(content, named("amis", "raced", "1"), testRun()), { code: "name-taken" });
  });

  it("reuses the snapshot for another version of the same content", async () => {
    const content = await freezeDisk(diskOf("xx"));
    await registry.upload?.(content, named("amis", "api-1.0.0-3.gab12cd3", content.digest), testRun());
    await registry.publish(content, named("amis", "api-1.0.0-3.gab12cd3", "1.0.0-3.gab12cd3"), testRun());
    await registry.publish(content, named("amis", "api-1.0.0", "1.0.0"), testRun());
    assert.equal(onlySnapshot().puts, 2);
    assert.equal(house.aws.ec2.images.size, 2);
  });

  it("sends only the missing blocks after a failure", async () => {
    const content = await freezeDisk(diskOf("x".repeat(40)));
    const name = named("amis", "again", "1");
    let puts = 0;
    house.aws.fault = ({ operation }) => {
      if (operation === "PutSnapshotBlock") puts += 1;
      return puts > 20 ? new Fault(403, "AccessDeniedException") : undefined;
    };
    await assert.rejects(registry.publish(content, name, testRun()), { name: "Refused", code: "registry-denied" });
    house.aws.fault = () => undefined;
    await registry.publish(content, name, testRun());
    assert.equal(onlySnapshot().puts, 40);
  });

  it("continues the snapshot that a killed process began", async () => {
    const content = await freezeDisk(diskOf("x".repeat(20)));
    const name = named("amis", "resumed", "1");
    const dying = new AbortController();
    house.aws.fault = ({ operation }) => {
      if (operation === "CompleteSnapshot") dying.abort(new Error("killed"));
      return undefined;
    };
    await assert.rejects(open().publish(content, name, testRun(dying.signal)), /killed/);
    house.aws.fault = () => undefined;
    const location = await open().publish(content, name, testRun());
    assert.ok(onlySnapshot().status === "completed");
    assert.equal(sha256(await pulled(location, content)), content.digest);
  });

  it("waits for a snapshot that a killed process completed", async () => {
    house.aws.ebs.lag = 2;
    const content = await freezeDisk(diskOf("xx"));
    const dying = new AbortController();
    house.aws.fault = ({ operation }) => {
      if (operation === "DescribeSnapshots" && house.aws.count("CompleteSnapshot") > 0)
        dying.abort(new Error("killed"));
      return undefined;
    };
    const name = named("amis", "completed", "1");
    await assert.rejects(open().publish(content, name, testRun(dying.signal)), /killed/);
    house.aws.fault = () => undefined;
    await open().publish(content, name, testRun());
    assert.equal(onlySnapshot().status, "completed");
  });

  it("starts again if the snapshot failed or was deleted", async () => {
    const content = await freezeDisk(diskOf("xx"));
    await registry.upload?.(content, named("amis", "anew", content.digest), testRun());
    onlySnapshot().status = "error";
    await registry.upload?.(content, named("amis", "anew", content.digest), testRun());
    assert.equal(house.aws.ebs.snapshots.size, 2);
    house.aws.ebs.snapshots.clear();
    const location = await registry.publish(content, named("amis", "anew", "1"), testRun());
    assert.equal(sha256(await pulled(location, content)), content.digest);
  });

  it("explains why an image cannot be started, and what to do", async () => {
    house.aws.ec2.outcome = "failed";
    const content = await freezeDisk(diskOf("x"));
    await assert.rejects(registry.publish(content, named("amis", "failed", "1"), testRun()), {
      name: "Refused",
      code: "ami-failed",
      message: /is failed: the disk holds no system\. Deregister it/,
    });
  });

  it("accepts one file only, and only a name that EC2 accepts", async () => {
    const two = await freeze(house.store, "ami", { "a.raw": 10, "b.raw": 20 });
    const publish = (content: StampedContent, name: string) =>
      registry.publish(content, named("amis", name, "1"), testRun());
    await assert.rejects(publish(two, "two-files"), { name: "UserError", code: "ami-not-one-file" });
    const one = await freeze(house.store, "ami", { "a.raw": 10 });
    await assert.rejects(publish(one, "a:b"), { name: "Refused", code: "name-invalid" });
    assert.equal(house.aws.count("StartSnapshot"), 0);
  });

  it("reports content as gone if its image is deleted or replaced", async () => {
    const content = await freezeDisk(diskOf("x"));
    const location = await registry.publish(content, named("amis", "gone", "1"), testRun());
    house.aws.ec2.images.clear();
    assert.equal(await registry.restore(location, testRun(), content), false);
    await assert.rejects(registry.pull(location, new PassThrough(), testRun(), content), { code: "content-gone" });
    house.aws.ec2.add("gone");
    assert.equal(await registry.restore(location, testRun(), content), false);
  });

  it("never lets a wrong byte through a pull, and leaves nothing of it behind", async () => {
    const content = await freezeDisk(diskOf("xx"));
    const location = await registry.publish(content, named("amis", "damaged", "1"), testRun());
    const block = onlySnapshot().blocks.get(1);
    block?.bytes.writeUInt8((block.bytes.readUInt8(0) + 1) % 256);
    await assert.rejects(pulled(location, content), { code: "content-differs" });
    await house.store.remove(content.digest);
    await assert.rejects(registry.restore(location, testRun(), content), { code: "digest-mismatch" });
    assert.equal(await house.store.has(content.digest), false);
  });

  it("checks credentials and rights, and leaves nothing behind", async () => {
    await registry.check();
    assert.equal(house.aws.ec2.images.size + house.aws.ebs.snapshots.size, 0);
    house.aws.fault = ({ operation }) =>
      operation === "RegisterImage" ? new Fault(403, "UnauthorizedOperation", "You are not authorized") : undefined;
    await assert.rejects(registry.check(), {
      name: "ConfigError",
      code: "registry-denied",
      message: /^registries\.amis: .*IAM policy allows ec2:RegisterImage/,
    });
  });

  it("shows no secret in its errors, with a wrong secret and with none", async () => {
    await demandSilence(house.aws, open);
  });

  it("reports limits, failures of AWS and broken connections as transient", async () => {
    const content = await freezeDisk(diskOf("x"));
    const publish = () => open().publish(content, named("amis", "transient", "1"), testRun());
    for (const [fault, code] of [
      [new Fault(400, "RequestThrottledException"), "registry-limited"],
      [new Fault(429, "ThrottlingException"), "registry-limited"],
      [new Fault(500, "InternalServerException"), "registry-unavailable"],
    ] as const) {
      house.aws.fault = ({ operation }) => (operation === "StartSnapshot" ? fault : undefined);
      await assert.rejects(publish(), { name: "TransientError", code });
    }
    house.aws.fault = () => new Fault(503, "RequestLimitExceeded");
    await assert.rejects(publish(), { name: "TransientError", code: "registry-limited" });
    await house.aws.stop();
    await assert.rejects(publish(), { name: "TransientError", code: "registry-unreachable" });
    await house.aws.start();
  });
});
