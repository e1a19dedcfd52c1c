import protobuf from "protobufjs";
import { type Methods, unary } from "../grpc/server.ts";
import { GrpcError, Status } from "../grpc/status.ts";

// From BuildKit's session/secrets/secrets.proto.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message GetSecretRequest { string ID = 1; }
  message GetSecretResponse { bytes data = 1; }
`,
  { keepCase: true },
);
const request = root.lookupType("GetSecretRequest");
const response = root.lookupType("GetSecretResponse");

/**
 * Gives a build its secrets when a step mounts one. BuildKit puts it into a file in memory: it gets into no layer, and
 * is no part of the key of a cached step. BuildKit asks for names that nobody gave it, too.
 */
export function secretMethods(secrets: Readonly<Record<string, string>>): Methods {
  return {
    "/moby.buildkit.secrets.v1.Secrets/GetSecret": unary((bytes) => {
      const { ID } = request.decode(bytes) as unknown as { ID: string };
      const value = Object.hasOwn(secrets, ID) ? secrets[ID] : undefined;
      if (value === undefined) throw new GrpcError(Status.notFound, `secret ${ID}: not found`);
      return response.encode({ data: Buffer.from(value) }).finish();
    }),
  };
}
