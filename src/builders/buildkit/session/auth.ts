import protobuf from "protobufjs";
import { type Methods, unary } from "../grpc/server.ts";

// From BuildKit's session/auth/auth.proto.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message CredentialsRequest { string Host = 1; }
  message CredentialsResponse { string Username = 1; string Secret = 2; }
`,
  { keepCase: true },
);
const request = root.lookupType("CredentialsRequest");
const response = root.lookupType("CredentialsResponse");

/** A login for a host. Null: nobody logs in there. */
export type Logins = (host: string) => { username: string; password: string } | null;

/** The host by which BuildKit reaches Docker Hub, whose images are called `docker.io/…`. */
const HUB_HOST = "registry-1.docker.io";

/**
 * Gives BuildKit the login of one registry when that registry asks for one. BuildKit asks by the host of the image, so
 * no registry gets the login of another.
 */
export function authMethods(logins: Logins): Methods {
  return {
    "/moby.filesync.v1.Auth/Credentials": unary((bytes) => {
      const { Host } = request.decode(bytes) as unknown as { Host: string };
      const login = logins(Host === HUB_HOST ? "docker.io" : Host);
      return response.encode(login === null ? {} : { Username: login.username, Secret: login.password }).finish();
    }),
  };
}
