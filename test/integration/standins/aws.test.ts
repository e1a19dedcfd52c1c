import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CodeartifactClient, PublishPackageVersionCommand } from "@aws-sdk/client-codeartifact";
import { CompleteSnapshotCommand, EBSClient, PutSnapshotBlockCommand, StartSnapshotCommand } from "@aws-sdk/client-ebs";
import { DescribeImagesCommand, EC2Client, RegisterImageCommand } from "@aws-sdk/client-ec2";
import { CreateRepositoryCommand, ECRClient } from "@aws-sdk/client-ecr";
import EbsOfV2 from "aws-sdk/clients/ebs.js";
import Ec2OfV2 from "aws-sdk/clients/ec2.js";
import EcrOfV2 from "aws-sdk/clients/ecr.js";
import { blockSize } from "../../support/registries/aws/ebs.ts";
import { account } from "../../support/registries/aws/ecr.ts";
import { type House, openHouse } from "../../support/registries/aws/house.ts";
import { useAws } from "../../support/registries/aws/index.ts";

/** A request of the SDK's, before it is signed. */
interface Request {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: unknown;
}

type Client = { send(command: never): Promise<unknown>; destroy(): void };
type Command = { middlewareStack: { add(middleware: unknown, options: unknown): void } };

const region = "eu-west-1";
const tags = [
  { Key: "dev.deliverd.digest", Value: "sha256:0" },
  { Key: "org.opencontainers.image.revision", Value: "0" },
];
const bytes = Buffer.alloc(blockSize, 1);
const checksum = createHash("sha256").update(bytes).digest();
const aggregate = createHash("sha256").update(checksum).digest("base64");

function textOf({ body }: Request): string {
  return typeof body === "string" ? body : Buffer.from(body as Uint8Array).toString();
}

describe("The AWS stand-in", () => {
  let house: House;
  let clients: { ecr: ECRClient; ec2: EC2Client; ebs: EBSClient; codeartifact: CodeartifactClient };
  beforeEach(async () => {
    house = await openHouse();
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const settings = { region, logger };
    clients = {
      ecr: new ECRClient(settings),
      ec2: new EC2Client(settings),
      ebs: new EBSClient(settings),
      codeartifact: new CodeartifactClient(settings),
    };
  });
  afterEach(async () => {
    for (const client of Object.values(clients)) client.destroy();
    await house.remove();
  });

  /** Sends it with a mistake planted, before it is signed or after. @returns the error's name, or `ok` */
  async function send(client: Client, command: object, plant?: (request: Request) => void, step = "build") {
    if (plant !== undefined) {
      const middleware = (next: (args: unknown) => unknown) => (args: { request: Request }) => {
        plant(args.request);
        const { body, headers } = args.request;
        if (typeof body === "string") headers["content-length"] = String(Buffer.byteLength(body));
        return next(args);
      };
      (command as Command).middlewareStack.add(middleware, { step, priority: "low" });
    }
    try {
      await client.send(command as never);
      return "ok";
    } catch (error) {
      return `${(error as Error).name} ${(error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode}`;
    }
  }

  const create = (more: object = {}) =>
    new CreateRepositoryCommand({ registryId: account, repositoryName: "acme/app", ...more });
  const start = (more: object = {}) =>
    new StartSnapshotCommand({ VolumeSize: 1, Tags: tags, ClientToken: "token", ...more });
  const put = (SnapshotId: string, more: object = {}) =>
    new PutSnapshotBlockCommand({
      ...{ SnapshotId, BlockIndex: 0, BlockData: bytes, DataLength: blockSize },
      ...{ Checksum: checksum.toString("base64"), ChecksumAlgorithm: "SHA256" as const, ...more },
    });
  const complete = (SnapshotId: string, more: object = {}) =>
    new CompleteSnapshotCommand({
      ...{ SnapshotId, ChangedBlocksCount: 1, Checksum: aggregate, ChecksumAlgorithm: "SHA256" as const },
      ...{ ChecksumAggregationMethod: "LINEAR" as const, ...more },
    });
  const register = (SnapshotId: string, more: object = {}) =>
    new RegisterImageCommand({
      ...{ Name: "image", Architecture: "x86_64", VirtualizationType: "hvm", RootDeviceName: "/dev/xvda" },
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId } }],
      TagSpecifications: [{ ResourceType: "image", Tags: tags }],
      ...more,
    });
  const publish = (content: string, more: object = {}) =>
    new PublishPackageVersionCommand({
      ...{ domain: "acme", domainOwner: account, repository: "main", format: "generic" },
      ...{ namespace: "n", package: "p", packageVersion: "1", assetName: "a", unfinished: true },
      assetContent: Buffer.from(content),
      assetSHA256: createHash("sha256").update(content).digest("hex"),
      ...more,
    });
  async function snapshot(): Promise<string> {
    return (await clients.ebs.send(start())).SnapshotId ?? "";
  }
  async function completed(): Promise<string> {
    const id = await snapshot();
    await clients.ebs.send(put(id));
    await clients.ebs.send(complete(id));
    house.aws.ebs.snapshot(id).status = "completed";
    return id;
  }

  it("refuses requests that are unsigned, signed for another secret or region, or changed since", async () => {
    assert.equal((await fetch(house.aws.url, { method: "POST", body: "{}" })).status, 403);
    assert.equal(await send(clients.ecr, create()), "ok");
    const change = (request: Request) => {
      request.headers["x-amz-target"] = `${request.headers["x-amz-target"]} `;
    };
    assert.match(await send(clients.ecr, create(), change, "finalizeRequest"), / 40[03]$/);
    const body = (request: Request) => {
      request.body = textOf(request).replace("acme", "evil");
    };
    assert.equal(await send(clients.ecr, create(), body, "finalizeRequest"), "SignatureDoesNotMatch 403");
    const query = (request: Request) => {
      request.query.asset = "b";
    };
    assert.equal(await send(clients.codeartifact, publish("x"), query, "finalizeRequest"), "SignatureDoesNotMatch 403");
    assert.equal(await send(new ECRClient({ region: "us-east-1" }), create()), "SignatureDoesNotMatch 403");
    const restore = useAws(house.aws, "another");
    try {
      assert.equal(await send(new EC2Client({ region }), register("snap-1")), "SignatureDoesNotMatch 403");
    } finally {
      restore();
    }
  });

  it("refuses members that AWS's model does not have, at any depth, and requires those that it requires", async () => {
    const id = await completed();
    const form = (from: string, to: string) => (request: Request) => {
      request.body = textOf(request).replaceAll(from, to);
    };
    const json = (more: object) => (request: Request) => {
      request.body = JSON.stringify({ ...JSON.parse(textOf(request)), ...more });
    };
    const inQuery = (change: (query: Record<string, string>) => void) => (request: Request) => change(request.query);
    const inHeaders = (name: string) => (request: Request) => {
      request.headers[name] = "1";
    };
    const planted: [Client, object, (request: Request) => void][] = [
      [clients.ec2, register(id), form("Ebs.SnapshotId", "Ebs.SnapshotID")],
      [clients.ec2, register(id), form("BlockDeviceMapping.1", "BlockDeviceMappings.1")],
      [clients.ec2, register(id), form("Tag.2", "Tag.3")],
      [clients.ec2, register(id), form("Name=image&", "")],
      [clients.ec2, register(id), form("Version=2016-11-15", "Version=2016-11-16")],
      [clients.ec2, register(id, { EnaSupport: true }), form("EnaSupport=true", "EnaSupport=yes")],
      [clients.ec2, new DescribeImagesCommand({ Owners: ["self"] }), form("Owner.1", "Owners.1")],
      [clients.ecr, create(), json({ imageScanning: {} })],
      [clients.ecr, create(), json({ imageScanningConfiguration: { scan: true } })],
      [clients.ecr, create(), json({ imageScanningConfiguration: { scanOnPush: "true" } })],
      [clients.ecr, create(), json({ repositoryName: undefined })],
      [clients.ebs, start(), json({ Size: 1 })],
      [clients.ebs, start(), json({ VolumeSize: "1" })],
      [clients.ebs, start(), json({ Tags: [{ key: "a", value: "b" }] })],
      [clients.ebs, put(id), inHeaders("x-amz-block")],
      [clients.codeartifact, publish("x"), inQuery((query) => Object.assign(query, { name: "x" }))],
      [clients.codeartifact, publish("x"), inQuery((query) => delete query.package)],
      [clients.codeartifact, publish("x"), inQuery((query) => Object.assign(query, { unfinished: "yes" }))],
    ];
    for (const [client, command, plant] of planted) {
      assert.equal(await send(client, command, plant), "AgainstTheModel 400", String(plant));
    }
  });

  it("enforces the rules of EBS: size, checksums, open snapshots", async () => {
    const id = await snapshot();
    const wrong = "ValidationException 400";
    assert.equal(await send(clients.ebs, put(id, { Checksum: aggregate })), wrong);
    assert.equal(await send(clients.ebs, put(id, { BlockData: Buffer.alloc(1000), DataLength: 1000 })), wrong);
    assert.equal(await send(clients.ebs, put(id, { DataLength: 1000 })), wrong);
    assert.equal(await send(clients.ebs, put(id, { BlockIndex: 2048 })), wrong);
    assert.equal(await send(clients.ebs, put("snap-none")), "ResourceNotFoundException 404");
    assert.equal(await send(clients.ebs, put(id)), "ok");
    assert.equal(await send(clients.ebs, complete(id, { ChangedBlocksCount: 2 })), wrong);
    assert.equal(await send(clients.ebs, complete(id, { Checksum: checksum.toString("base64") })), wrong);
    assert.equal(await send(clients.ebs, complete(id, { ChecksumAggregationMethod: undefined })), wrong);
    assert.equal(await send(clients.ebs, complete(id)), "ok");
    assert.equal(await send(clients.ebs, put(id)), wrong);
    assert.equal(await send(clients.ebs, start()), "ok");
    assert.equal(house.aws.ebs.snapshots.size, 1);
    assert.equal(await send(clients.ebs, start({ VolumeSize: 2 })), "ConflictException 409");
    assert.equal(await send(clients.ebs, start({ Tags: [], ClientToken: "other" })), "AccessDeniedException 403");
  });

  it("enforces the rules of machine images: unique name, root disk, finished snapshot, tags", async () => {
    const id = await completed();
    assert.equal(await send(clients.ec2, register(id, { BlockDeviceMappings: [] })), "InvalidBlockDeviceMapping 400");
    assert.equal(await send(clients.ec2, register("snap-none")), "InvalidSnapshot.NotFound 400");
    assert.equal(await send(clients.ec2, register(id, { TagSpecifications: undefined })), "AccessDeniedException 403");
    assert.equal(await send(clients.ec2, register(id, { Name: "a:b" })), "InvalidAMIName.Malformed 400");
    const open = await clients.ebs.send(start({ ClientToken: "open" }));
    assert.equal(await send(clients.ec2, register(open.SnapshotId ?? "")), "IncorrectState 400");
    assert.equal(await send(clients.ec2, register(id)), "ok");
    assert.equal(await send(clients.ec2, register(id)), "InvalidAMIName.Duplicate 400");
    assert.match(await send(clients.ec2, new DescribeImagesCommand({})), /^InvalidParameterValue/);
  });

  it("enforces the rules of ECR and CodeArtifact", async () => {
    assert.equal(await send(clients.ecr, create()), "ok");
    assert.equal(await send(clients.ecr, create()), "RepositoryAlreadyExistsException 400");
    const immutable = { repositoryName: "acme/b", imageTagMutability: "IMMUTABLE_WITH_EXCLUSION" };
    assert.equal(await send(clients.ecr, create(immutable)), "InvalidParameterException 400");
    assert.equal(await send(clients.ecr, create({ repositoryName: "r" })), "InvalidParameterException 400");

    const conflict = "ConflictException 409";
    assert.equal(await send(clients.codeartifact, publish("bytes")), "ok");
    assert.equal(await send(clients.codeartifact, publish("bytes")), "ok");
    assert.equal(await send(clients.codeartifact, publish("other")), conflict);
    const unlike = createHash("sha256").update("unlike").digest("hex");
    assert.match(await send(clients.codeartifact, publish("bytes", { assetSHA256: unlike })), / 40[03]$/);
    assert.equal(await send(clients.codeartifact, publish("bytes", { unfinished: undefined })), "ok");
    assert.equal(await send(clients.codeartifact, publish("more", { assetName: "b" })), conflict);
    assert.equal(await send(clients.codeartifact, publish("x", { format: "npm" })), "ValidationException 400");
    assert.equal(await send(clients.codeartifact, publish("x", { domain: "none" })), "ResourceNotFoundException 404");
  });

  it("also serves AWS's SDK v2, which makes its requests by other code", async () => {
    const settings = { endpoint: house.aws.url, region };
    const made = await new EcrOfV2(settings)
      .createRepository({ registryId: account, repositoryName: "acme/v2", imageTagMutability: "IMMUTABLE" })
      .promise();
    assert.equal(made.repository?.repositoryName, "acme/v2");
    const ebs = new EbsOfV2(settings);
    const { SnapshotId = "" } = await ebs.startSnapshot({ VolumeSize: 1, Tags: tags }).promise();
    const block = { BlockIndex: 0, BlockData: bytes, DataLength: blockSize, ChecksumAlgorithm: "SHA256" };
    await ebs.putSnapshotBlock({ SnapshotId, ...block, Checksum: checksum.toString("base64") }).promise();
    const all = { ChangedBlocksCount: 1, Checksum: aggregate, ChecksumAlgorithm: "SHA256" };
    await ebs.completeSnapshot({ SnapshotId, ...all, ChecksumAggregationMethod: "LINEAR" }).promise();
    const ec2 = new Ec2OfV2(settings);
    const stateOf = async () =>
      (await ec2.describeSnapshots({ SnapshotIds: [SnapshotId] }).promise()).Snapshots?.[0]?.State;
    assert.deepEqual([await stateOf(), await stateOf()], ["pending", "completed"]);
    const { ImageId } = await ec2
      .registerImage({
        ...{ Name: "by v2", Architecture: "arm64", VirtualizationType: "hvm", RootDeviceName: "/dev/xvda" },
        BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId } }],
        TagSpecifications: [{ ResourceType: "image", Tags: tags }],
      })
      .promise();
    const { Images = [] } = await ec2
      .describeImages({ Owners: ["self"], Filters: [{ Name: "name", Values: ["by v2"] }] })
      .promise();
    assert.deepEqual([Images[0]?.ImageId, Images[0]?.Tags], [ImageId, tags]);
  });
});
