import { text } from "node:stream/consumers";
import type Dockerode from "dockerode";

/** Pulls the image by digest from where it was released, runs it without any network, and gives what it printed. */
export async function pullAndRun(docker: Dockerode, reference: string, signal: AbortSignal): Promise<string> {
  const pulling = await docker.pull(reference, { abortSignal: signal });
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(pulling, (error) => (error ? reject(error) : resolve())),
  );
  const container = await docker.createContainer({ Image: reference, HostConfig: { NetworkMode: "none" }, Tty: true });
  try {
    const output = await container.attach({ stream: true, stdout: true, stderr: true });
    await container.start();
    const [printed, { StatusCode }] = await Promise.all([text(output), container.wait({ abortSignal: signal })]);
    if (StatusCode !== 0) throw new Error(`the container ended with ${StatusCode}: ${printed}`);
    return printed.replaceAll("\r\n", "\n");
  } finally {
    await container.remove({ force: true });
    await docker.getImage(reference).remove({ force: true });
  }
}
