import * as z from "zod";
import { oneOf, orNull, receiverUrl, secret, strict, token } from "../../settings/scalars.ts";
import { hostType } from "../host-type.ts";
import { readProofKey } from "../standard-proof.ts";
import { cloneTemplate } from "./clone-template.ts";

/** Any git server over HTTP, with CI that tells deliverd itself. */
export const generic = hostType({
  type: "generic",
  settings: strict({
    type: oneOf("generic").describe("The type of git host."),
    cloneUrl: cloneTemplate.describe("The URL of a clone, with {owner} and {name} in its path."),
    username: orNull(
      z.string({ error: "a user name" }).regex(/^[^:\p{Cc}]{1,255}$/u, { error: "a user name without a colon" }),
    ).describe("The user name that goes with token. Left out: deliverd."),
    token: orNull(token).describe("The password or token of clones. Left out: the server asks for none."),
    webhookSecret: secret
      .refine((text) => readProofKey(text) !== null, { error: "whsec_ and the base64 of 24 or more random bytes" })
      .describe("The key (whsec_…) that signs webhooks and CI results, and deliverd's reports."),
    reportUrl: orNull(receiverUrl).describe("The URL that gets a POST for each report. Left out: no reports."),
  }),
  secrets: ["webhookSecret", "token"],
  secretUrls: ["reportUrl"],
  reportsNeed: "reportUrl",
  open: async (key, settings, tools) => (await import("./host.ts")).genericHost({ key, ...settings }, tools),
});
