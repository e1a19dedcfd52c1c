import assert from "node:assert/strict";
import type { HostTools } from "../../../src/hosts/host-tools.ts";

/** For hosts that ask for nothing outside their own API. */
export const noTools: HostTools = {
  learn: () => {},
  readHead: () => assert.fail("this host has an API for the branch"),
  pushedChecks: () => assert.fail("this host has an API for the state of CI"),
};
