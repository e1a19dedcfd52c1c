import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import CodeArtifact from "aws-sdk/clients/codeartifact.js";
import Ebs from "aws-sdk/clients/ebs.js";
import Ec2 from "aws-sdk/clients/ec2.js";
import { type Aws, awsEnvironment } from "../../../test/support/registries/aws/index.ts";
import { digestsIn } from "./clients.ts";
import type { Client } from "./place.ts";

// It says of itself that it is old, which is of no interest to who sees the demo.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";

/** SDK v2, which shares no line with the one that deliverd uses. */
function settings(aws: Aws) {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = awsEnvironment(aws);
  return { endpoint: aws.url, region: "eu-west-1", credentials: { accessKeyId, secretAccessKey } };
}

/** Of a generic package: `acme/hello/tool` is the package `tool` in the namespace `acme:hello`. */
export function assets(aws: Aws, repository: { domain: string; domainOwner: string; repository: string }): Client {
  return {
    tool: "AWS SDK v2",
    async fetch({ release, location, directory }) {
      const client = new CodeArtifact(settings(aws));
      const [, path = "", packageVersion = ""] = /^(.*):([^:]*)$/.exec(location.name) ?? [];
      const parts = path.split("/");
      const version = { package: parts.pop() ?? "", namespace: parts.join(":"), packageVersion, format: "generic" };
      for (const { name: asset } of release.files) {
        const got = await client.getPackageVersionAsset({ ...repository, ...version, asset }).promise();
        await writeFile(join(directory, asset), got.asset as Buffer);
      }
      return digestsIn(directory);
    },
  };
}

/** Reads the disk back, block by block; blocks of zeros are not there. */
export function disk(aws: Aws): Client {
  return {
    tool: "AWS SDK v2",
    async fetch({ release, location, directory }) {
      const [file = { name: "", size: 0 }] = release.files;
      const name = location.name.replace(/:[^:]*$/, "");
      const ec2 = new Ec2(settings(aws));
      const filters = [{ Name: "name", Values: [name] }];
      const { Images: images = [] } = await ec2.describeImages({ Owners: ["self"], Filters: filters }).promise();
      const SnapshotId = images[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? "";
      const ebs = new Ebs(settings(aws));
      const bytes = Buffer.alloc(file.size);
      for (let NextToken: string | undefined, more = true; more; more = NextToken !== undefined) {
        const page = await ebs.listSnapshotBlocks({ SnapshotId, ...(NextToken && { NextToken }) }).promise();
        for (const { BlockIndex = 0, BlockToken = "" } of page.Blocks ?? []) {
          const { BlockData } = await ebs.getSnapshotBlock({ SnapshotId, BlockIndex, BlockToken }).promise();
          (BlockData as Buffer).copy(bytes, BlockIndex * (page.BlockSize ?? 0));
        }
        NextToken = page.NextToken;
      }
      await writeFile(join(directory, file.name), bytes);
      return digestsIn(directory);
    },
  };
}
