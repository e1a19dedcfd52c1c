import { randomUUID } from "node:crypto";
import { type Duplex, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type Dockerode from "dockerode";
import type { Run } from "../../run/run.ts";
import type { FilesOrder } from "../builder.ts";
import { engineFailed, explainFailure } from "../engine/build-failure.ts";
import { engineGone } from "../engine/errors.ts";
import { StepOutput } from "../engine/step-output.ts";
import { type EngineWatch, hasEngineStopped } from "../engine.ts";
import { explainStart } from "./container.ts";
import { scriptOf } from "./script.ts";

/**
 * Runs the commands one after the other.
 * @throws UserError `build-failed`, `container-refused`, TransientError `engine-failed`, `engine-gone`, `disk-full`
 */
export async function runCommands(
  docker: Dockerode,
  container: Dockerode.Container,
  order: FilesOrder,
  watch: EngineWatch,
  run: Run,
): Promise<void> {
  const { build } = order.artifact;
  const mark = `deliverd ${randomUUID()} `;
  const step = new StepOutput("");
  const hear = (line: string): boolean => {
    // The mark comes after the last output of the previous command, if that did not end its line.
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
      explainStart(build.image, () => container.start({ abortSignal: run.signal })).then(() =>
        connection.write(scriptOf(build, order.secrets, mark)),
      ),
    ]);
    step.end(hear);
    const { StatusCode: exitCode, Error: trouble } = await container.wait({ abortSignal: run.signal });
    if (exitCode === 0 && !trouble) return;
    if (await hasEngineStopped(watch, exitCode)) throw engineGone();
    if (trouble) throw engineFailed(`The commands' container ended: ${trouble.Message}`);
    throw explainFailure({ message: "", step: step.name || null, exitCode, tail: step.tail }, null, order.limits);
  } finally {
    run.signal.removeEventListener("abort", stop);
    connection.destroy();
  }
}
