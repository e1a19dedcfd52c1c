import assert from "node:assert/strict";
import { startWorld, type World } from "../support/world/world.ts";
import { forgedGreen } from "./line/forged.ts";
import { hostileRefs } from "./line/refs.ts";
import { replays } from "./line/replay.ts";
import { openDoors } from "./line/routes.ts";
import { ownRules } from "./line/rules.ts";
import { hostileText } from "./line/text.ts";
import { foreignUrls, type Listener, startListener } from "./line/urls.ts";

// One deliverd for all of them: what one attack leaves behind must not help the next.
describe("The whole line, from webhook to release, under attack", function () {
  this.timeout(90_000);
  let world: World;
  let listener: Listener;

  before(async () => {
    listener = await startListener();
    world = await startWorld({
      config: {
        repos: [
          "acme/*",
          { match: "acme/bounded", branches: ["main"], tags: ["v*"], ci: { required: ["security"] } },
          { match: "acme/trusting", ci: { apps: ["github-actions"] } },
        ],
      },
    });
  });
  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await listener?.stop();
    assert.deepEqual(violations, []);
  });

  describe("by an old webhook", () => replays(() => world));
  describe("by forged green", () => forgedGreen(() => world));
  describe("by a branch that rewrites its own rules", () => ownRules(() => world));
  describe("by the names of branches", () => hostileRefs(() => world));
  describe("by text", () => hostileText(() => world));
  describe("by URLs", () =>
    foreignUrls(
      () => world,
      () => listener,
    ));
  describe("by asking without a token", () => openDoors(() => world));
});
