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
describe("The whole pipeline, from webhook to release, under attack", function () {
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

  describe("by a replayed webhook", () => replays(() => world));
  describe("by a forged green check", () => forgedGreen(() => world));
  describe("by a branch that changes its own rules", () => ownRules(() => world));
  describe("by hostile branch names", () => hostileRefs(() => world));
  describe("by hostile text", () => hostileText(() => world));
  describe("by URLs of an attacker", () =>
    foreignUrls(
      () => world,
      () => listener,
    ));
  describe("by requests without a token", () => openDoors(() => world));
});
