// Probot's own receiver with a handler that does nothing. Settings come from the environment, as Probot reads them.
import { run } from "probot";

await run((app) => {
  app.on("push", () => {});
});
