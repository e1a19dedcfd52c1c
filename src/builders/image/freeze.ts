import type Dockerode from "dockerode";
import { TransientError } from "../../delivery/errors.ts";
import type { Frozen } from "../../delivery/frozen.ts";
import type { Grant } from "../../store/intake.ts";
import { explainFailure } from "../engine/build-failure.ts";
import { explainEngineError } from "../engine/errors.ts";
import { readMessages } from "../engine/messages.ts";

/** The name of a built image until it is frozen. */
export function temporaryName(grant: Pick<Grant, "host" | "repository">): { name: string; tag: string } {
  return { name: `${grant.host}/${grant.repository}`, tag: "build" };
}

/**
 * Lets the engine push the image into the intake. The intake, not the engine, says whether it arrived, and its digest.
 * @throws TransientError `freeze-failed`, `disk-full`, `engine-gone`, `image-vanished`, UserError `image-too-large`
 */
export async function freezeBuiltImage(docker: Dockerode, grant: Grant, signal: AbortSignal): Promise<Frozen> {
  const { name, tag } = temporaryName(grant);
  const { username, password, host } = grant;
  let complaint = "the engine says nothing";
  try {
    const answer = await docker.getImage(name).push({
      tag,
      authconfig: { username, password, serveraddress: host },
      abortSignal: signal,
      // The intake speaks plain HTTP. Docker knows that of 127.0.0.0/8; Podman has to be told, and Docker ignores it.
      ...{ tlsVerify: false },
    });
    for await (const { error } of readMessages(answer)) complaint = error ?? complaint;
  } catch (error) {
    throw explainEngineError(error);
  }
  const pushed = grant.pushed(tag);
  if (pushed) return { digest: pushed.digest, mediaType: pushed.mediaType, size: pushed.size };
  const failure = explainFailure({ message: complaint, step: null, exitCode: null, tail: [] }, null, null);
  if (["disk-full", "engine-gone", "image-vanished"].includes(failure.code)) throw failure;
  throw new TransientError(
    "freeze-failed",
    `The engine could not push the built image to deliverd's own intake at ${host}: ${complaint}. ` +
      "The engine must reach that address: see docker.intake in the configuration.",
  );
}
