import { oneOf, orNull, text } from "../../settings/scalars.ts";
import { registryType } from "../registry-type.ts";

/** AWS EC2 machine images. */
export const ami = registryType({
  type: "ami",
  settings: {
    region: text.describe("The AWS region of the images, such as eu-west-1."),
    architecture: oneOf("x86_64", "arm64")
      .default("x86_64")
      .describe("The processor architecture of the images. Left out: x86_64."),
    /** Null: what the instances of the architecture boot by. */
    bootMode: orNull(oneOf("uefi", "legacy-bios", "uefi-preferred")).describe(
      "How instances boot. Left out: as the instance type does.",
    ),
    rootDevice: text
      .regex(/^\/dev\/[a-z0-9]+$/, { error: "a device, such as /dev/xvda" })
      .default("/dev/xvda")
      .describe("The name of the root disk. Left out: /dev/xvda."),
  },
  secrets: [],
  kinds: () => ["ami"],
  place: ({ region }) => `ami ${region}`,
  open: async (...given) => (await import("./registry.ts")).amiRegistry(...given),
});
