import { randomUUID } from "node:crypto";
import { type Duplex, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type Dockerode from "dockerode";
import type { Run } from "../../run/run.ts";
import type { FilesOrder } from "../builder.ts";
import { engineGone } from "../engine/errors.ts";
import { engineFailed, readFailure } from "../engine/failure.ts";
import { Step } from "../engine/step.ts";
import { type EngineWatch, stoppedWith } from "../engine.ts";
import { startable } from "./container.ts";
import { scriptOf } from "./script.ts";

/**
 * Runs the commands, one after the other.
 * @throws UserError `build-failed`, `container-refused`, TransientError `engine-failed`, `engine-gone`, `disk-full`
 */
export async function execute(
  docker: Dockerode,
  container: Dockerode.Container,
  order: FilesOrder,
  watch: EngineWatch,
  run: Run,
): Promise<void> {
  const { build } = order.artifact;
  const mark = `deliverd ${randomUUID()} `;
  const step = new Step("");
  const hear = (line: string): boolean => {
    // Behind what the command before printed last, where that did not end its line.
    const at = line.indexOf(mark);
    if (at !== 0) run.log.line(at < 0 ? line : line.slice(0, at));
    if (at < 0) return true;
    step.restart(build.run[Number(line.slice(at + mark.length))] ?? "");
    run.log.line(`$ ${step.name}`);
    return false;
  };
  const streams = { hijack: true, stream: true, stdin: true, stdout: true, stderr: true };
  const connection = (await container.attach({ ...streams, abortSignal: run.signal })) as Duplex;
  const stop = () => connection.destroy();
  run.signal.addEventListener("abort", stop, { once: true });
  try {
    const output = new Writable({
      write(chunk: Buffer, _encoding, done) {
        step.add(chunk, hear);
        done();
      },
    });
    docker.modem.demuxStream(connection, output, output);
    const ended = finished(connection, { writable: false });
    await Promise.all([
      ended,
      startable(build.image, () => container.start({ abortSignal: run.signal })).then(() =>
        connection.write(scriptOf(build, order.secrets, mark)),
      ),
    ]);
    step.end(hear);
    const { StatusCode: exitCode, Error: trouble } = await container.wait({ abortSignal: run.signal });
    if (exitCode === 0 && !trouble) return;
    if (await stoppedWith(watch, exitCode)) throw engineGone();
    if (trouble) throw engineFailed(`The commands' container ended: ${trouble.Message}`);
    throw readFailure({ message: "", step: step.name || null, exitCode, tail: step.tail }, null, order.limits);
  } finally {
    run.signal.removeEventListener("abort", stop);
    connection.destroy();
  }
}
