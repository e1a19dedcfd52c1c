#!/usr/bin/env node
import { plainHealthCall } from "./health-call.ts";

// HEALTHCHECK calls `health` every few seconds, beside a daemon that needs the CPU. So this loads neither the other
// commands, nor the parser of options, nor what an error needs.
process.stdout.on(
  "error",
  (error) => void import("./report-error.ts").then((report) => report.endWithoutOutput(error)),
);
try {
  const call = plainHealthCall(process.argv.slice(2), process.env);
  if (call === null) await (await import("./program.ts")).runProgram();
  else {
    const { health } = await import("./health.ts");
    process.stdout.write(`${(await health(call.config, process.env)).join("\n")}\n`);
  }
} catch (error) {
  process.exitCode = (await import("./report-error.ts")).reportError(error);
}
