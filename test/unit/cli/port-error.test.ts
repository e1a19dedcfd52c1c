import assert from "node:assert/strict";
import { portError } from "../../../src/cli/port-error.ts";

describe("A port on which deliverd cannot listen", () => {
  for (const [key, port, code, says] of [
    [
      "port",
      8080,
      "EADDRINUSE",
      /^port: another program listens on port 8080 .* or set port \(or PORT\) to a free port/,
    ],
    ["workerPort", 8081, "EADDRINUSE", /^workerPort: .*, or set workerPort to a free port/],
    ["port", 80, "EACCES", /^port: the user of deliverd \(.+\) may not listen on port 80.*1024 or above/],
    ["port", 8080, "EAFNOSUPPORT", /^port: deliverd cannot listen on port 8080: raw. Correct it, or set port/],
  ] as const) {
    it(`is told with the key ${key} and the remedy for ${code}`, () => {
      const error = portError(key, port, Object.assign(new Error("raw"), { code }));
      assert.equal(error.code, "port-unusable");
      assert.match(error.message, says);
    });
  }
});
