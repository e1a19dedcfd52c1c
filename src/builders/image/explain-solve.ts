import type { DockerfileFacts } from "../../delivery/dockerfile/index.ts";
import { TransientError, type UserError } from "../../delivery/errors.ts";
import type { BuildOrder } from "../builder.ts";
import { type GrpcError, Status } from "../buildkit/grpc/status.ts";
import { explainPull } from "../engine/bases.ts";
import { type BuildFailure, explainFailure } from "../engine/build-failure.ts";
import { engineGone, tidyEngineMessage } from "../engine/errors.ts";
import { parseReference } from "../engine/reference.ts";

/** What a failed build was about. */
export interface FailedSolve {
  order: Pick<BuildOrder, "limits">;
  dockerfile: DockerfileFacts;
  /** Of the intake. */
  host: string;
  /** Whether a login for a host is configured. */
  hasLogin(host: string): boolean;
}

/** Explains whose failure it is that BuildKit ended a build with an error. */
export function explainSolve(
  error: GrpcError,
  failure: BuildFailure | null,
  { order, dockerfile, host, hasLogin }: FailedSolve,
): UserError | TransientError {
  const { code, message } = error;
  if (code === Status.unavailable || code === Status.cancelled) return explainGrpcError(error);
  if (/no active session|session .*not found/i.test(message)) return engineGone(error);
  if (message.includes(`failed to push ${host}/`) || message.includes(`http://${host}/`))
    return pushFailed(host, message);
  const base = dockerfile.images.find(({ reference }) => isAbout(failure, reference));
  if (base !== undefined)
    return explainPull(base.reference, tidyEngineMessage(message), hasLogin(parseReference(base.reference).host));
  return explainFailure(failure ?? { message, step: null, exitCode: null, tail: [] }, dockerfile, order.limits);
}

/** Explains why BuildKit did not answer a call. */
export function explainGrpcError(error: GrpcError): TransientError {
  if (error.code === Status.unavailable || error.code === Status.cancelled) return engineGone(error);
  return new TransientError("engine-refused", `BuildKit refused a request: ${error.message}`, {
    cause: error,
    tries: 20,
  });
}

/** BuildKit's step for a base is called `load metadata for <its name in full>`. */
function isAbout(failure: BuildFailure | null, reference: string): boolean {
  const asked = /^load metadata for (\S+)$/.exec(failure?.step ?? "")?.[1];
  if (asked === undefined) return false;
  const [one, other] = [parseReference(asked), parseReference(reference)];
  return one.name === other.name && (one.digest === null ? one.tag === other.tag : one.digest === other.digest);
}

function pushFailed(host: string, message: string): TransientError {
  return new TransientError(
    "freeze-failed",
    `BuildKit could not push the built image to deliverd's own intake at ${host}: ${tidyEngineMessage(message)}. ` +
      "BuildKit must reach that address: see docker.intake in the configuration.",
  );
}
