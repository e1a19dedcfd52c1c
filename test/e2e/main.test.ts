import assert from "node:assert/strict";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import { greetingDockerfile, type SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { type ApiRelease, image, pipeline, startWorld, type World } from "../support/world/world.ts";

for (const ledger of ["SQLite", "PostgreSQL"] as const) {
  describe(`deliverd on ${ledger}`, function () {
    this.timeout(90_000);
    let postgres: Postgres | undefined;
    let world: World;

    before(async () => {
      postgres = ledger === "PostgreSQL" ? await startPostgres() : undefined;
      world = await startWorld({ config: postgres ? { databaseUrl: await postgres.newDatabase() } : {} });
    });

    after(async () => {
      const violations = world?.github.violations;
      await world?.stop();
      await postgres?.stop();
      assert.deepEqual(violations, []);
    });

    describe("turns a green commit without a pipeline file into", () => {
      let repo: SampleRepo;
      let sha: string;
      let version: string;
      let digest: string;
      let delivery: DeliveryView;

      before(async () => {
        repo = await world.repo("api");
        sha = await world.release(repo);
        version = `0.0.1-1.g${sha.slice(0, 7)}`;
        digest = (await world.digest("acme/api", version)) ?? "";
        delivery = await world.delivery(repo, sha);
      });

      it("an image under its version, branch and sha", async () => {
        const names = ["main", `sha-${sha.slice(0, 7)}`, version].sort();
        assert.match(digest, /^sha256:[0-9a-f]{64}$/);
        // The registry may list a name a moment before it leads anywhere.
        for (const name of names)
          await until(`${name} is the image`, async () => (await world.digest("acme/api", name)) === digest);
        assert.deepEqual(await world.tags("acme/api"), names);
      });

      it("labels that say what it is", async () => {
        const { Labels } = (await world.inspect("acme/api", version)).config;
        assert.deepEqual(Labels, {
          "org.opencontainers.image.revision": sha,
          "org.opencontainers.image.source": `${world.github.cloneUrl}/acme/api`,
          "org.opencontainers.image.version": version,
          "org.opencontainers.image.created": await repo.git(
            "log",
            "-1",
            "--format=%cd",
            "--date=format:%Y-%m-%dT%H:%M:%SZ",
          ),
          "org.opencontainers.image.ref.name": "main",
          "dev.deliverd.delivery": delivery.id,
        });
      });

      it("a status that leads to the delivery's page", async () => {
        const status = await world.status(repo, sha, "api", "success");
        assert.equal(status.description, `${version} released to local`);
        assert.equal(status.targetUrl, `${world.deliverd.url}/deliveries/${delivery.id}`);
        const page = await world.deliverd.fetch(`/deliveries/${delivery.id}`);
        assert.equal(page.status, 200);
        const text = await page.text();
        for (const shown of [sha, version, digest, "github/acme/api", "Sam Sample"])
          assert.ok(text.includes(shown), shown);
        assert.ok((await (await world.deliverd.fetch("/")).text()).includes(`/deliveries/${delivery.id}`));
      });

      it("one notice, signed, that names the digest", async () => {
        await until("the notice is there", () => world.notices(repo, sha).length > 0);
        const [notice, ...more] = world.notices(repo, sha);
        assert.deepEqual(more, []);
        assert.deepEqual(world.sink.refused, []);
        const [release] = await world.releases(repo, sha);
        assert.equal(notice?.id, `release-${release?.id}`);
        const { customData } = notice.event.data as { customData: Record<string, unknown> };
        assert.deepEqual(
          { ...customData, locations: null },
          {
            ...{ repo: "github/acme/api", sha, ref: "refs/heads/main", artifact: "api", kind: "image", digest },
            ...{ versions: [version], deliveryId: delivery.id, files: [], locations: null },
          },
        );
      });

      it("a delivery and a release in the API", async () => {
        const { createdAt, startedAt, finishedAt, ...rest } = delivery;
        assert.deepEqual(rest, {
          id: delivery.id,
          repo: "github/acme/api",
          sha,
          ref: "refs/heads/main",
          state: "delivered",
          because: `released ${version}`,
          artifacts: [{ name: "api", kind: "image", state: "released", digest, version }],
        });
        for (const time of [createdAt, startedAt, finishedAt]) assert.equal(new Date(time ?? "").toISOString(), time);
        assert.deepEqual(await world.deliverd.api(`/api/v1/deliveries/${delivery.id}`), delivery);

        const isWhole = async () => {
          const [release] = await world.releases(repo, sha);
          return release?.locations.length === 3 && release.proof === "stands";
        };
        await until("every name is in the catalog, and the proof stands", isWhole);
        const release = await world.deliverd.api<ApiRelease>(`/api/v1/releases/api/${version}`);
        const { id, releasedAt, locations, committedAt, proof, ...facts } = release;
        assert.equal(proof, "stands");
        assert.deepEqual(facts, {
          ...{ artifact: "api", kind: "image", version, versions: [version], repo: "github/acme/api", sha },
          ...{ ref: "refs/heads/main", digest, deliveryId: delivery.id, files: [], package: null },
        });
        assert.equal(new Date(committedAt).toISOString(), committedAt);
        assert.equal(new Date(releasedAt).toISOString(), releasedAt);
        assert.ok(id);
        assert.deepEqual(
          locations.map((each) => each.name).sort(),
          [`acme/api:${version}`, "acme/api:main", `acme/api:sha-${sha.slice(0, 7)}`].sort(),
        );
        for (const each of locations) {
          assert.deepEqual([each.registry, each.digest], ["local", digest]);
          assert.ok(each.url.startsWith(world.registry.url), each.url);
          assert.ok(each.pull.includes(`acme/api@${digest}`), each.pull);
        }
        assert.deepEqual(await world.deliverd.api("/api/v1/releases/api/latest"), release);
        assert.deepEqual(await world.releases(repo, sha), [release]);
      });

      it("a log, as text and as server-sent events", async () => {
        const text = await world.log(repo, sha);
        for (const part of [`Version ${version}`, "COPY greeting.txt", `frozen as ${digest}`, `released ${version}`])
          assert.ok(text.includes(part), `${part} in\n${text}`);

        const answer = await world.deliverd.fetch(`/api/v1/deliveries/${delivery.id}/log`, {
          headers: { accept: "text/event-stream" },
        });
        assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
        const events = eventsOf(await answer.text());
        assert.equal(
          events
            .filter(({ event }) => event === "log")
            .map(({ data }) => `${data}\n`)
            .join(""),
          text,
        );
        assert.deepEqual(
          events.filter(({ event }) => event !== "log").map(({ event }) => event),
          ["state", "end"],
        );
        const last = events.findLast(({ event }) => event === "log")?.id ?? "";
        const rest = await world.deliverd.fetch(`/api/v1/deliveries/${delivery.id}/log`, {
          headers: { accept: "text/event-stream", "last-event-id": last },
        });
        assert.deepEqual(
          eventsOf(await rest.text()).map(({ event }) => event),
          ["state", "end"],
        );
      });

      it("an explanation by why", async () => {
        const why = await world.deliverd.api<{
          state: string;
          because: string;
          events: { kind: string; text: string }[];
        }>(`/api/v1/why?repo=acme/api&sha=${sha}`);
        assert.equal(why.state, "delivered");
        assert.equal(why.because, `released ${version}`);
        const kinds = new Set(why.events.map(({ kind }) => kind));
        for (const kind of ["hint", "decision", "attempt", "status", "notice"]) assert.ok(kinds.has(kind), kind);
      });
    });

    it("publishes one digest to two destinations", async () => {
      const publish = [
        { to: "local", as: "acme/twice", tags: ["{version}"] },
        { to: "second", as: "mirror/{artifact}", tags: ["{sha}"] },
      ];
      const repo = await world.repo("twice", { ".deliverd.yml": pipeline([image("twice", { publish })]) });
      const sha = await world.release(repo);
      const [release] = await world.releases(repo, sha);
      assert.equal(await world.digest("acme/twice", release?.version ?? ""), release?.digest);
      assert.equal(await world.digest("mirror/twice", sha, world.second), release?.digest);
      assert.deepEqual(release?.locations.map((each) => each.registry).sort(), ["local", "second"]);
    });

    it("delivers every artifact of a pipeline with its own status, release and notice", async () => {
      const artifacts = [image("web"), image("jobs", { dockerfile: "jobs/Dockerfile" })];
      const repo = await world.repo("several", {
        ".deliverd.yml": pipeline(artifacts),
        "jobs/Dockerfile": "FROM scratch\nCOPY greeting.txt /jobs.txt\n",
      });
      const sha = await world.release(repo, "web");
      await world.status(repo, sha, "jobs", "success");
      await until("both notices came", () => world.notices(repo, sha).length === 2);
      const releases = await world.releases(repo, sha);
      assert.deepEqual(releases.map((each) => each.artifact).sort(), ["jobs", "web"]);
      assert.equal(new Set(releases.map((each) => each.digest)).size, 2);
      for (const each of releases) assert.equal(await world.digest(`acme/${each.artifact}`, each.version), each.digest);
    });

    it("uses the version of a tag on the commit", async () => {
      const repo = await world.repo("tagged", { ".deliverd.yml": pipeline([image("tagged")]) });
      await repo.tag("v1.2.3");
      await repo.push("v1.2.3");
      const sha = await world.release(repo);
      const [release] = await world.releases(repo, sha);
      assert.deepEqual(release?.versions, ["1.2.3"]);
      assert.equal(
        (await world.inspect("acme/tagged", "1.2.3")).config.Labels?.["org.opencontainers.image.version"],
        "1.2.3",
      );

      await repo.commit({ "greeting.txt": "Next\n" });
      const next = await world.release(repo);
      assert.deepEqual((await world.releases(repo, next))[0]?.versions, [`1.2.4-1.g${next.slice(0, 7)}`]);
    });

    it("adds a name to a delivered commit that is tagged later, without a build", async () => {
      const repo = await world.repo("later", { ".deliverd.yml": pipeline([image("later")]) });
      const sha = await world.release(repo);
      const [before] = await world.releases(repo, sha);
      await repo.tag("v1.0.0", { annotated: true });
      await repo.push("v1.0.0");
      await until(
        "the version stands",
        async () => (await world.digest("acme/later", "1.0.0")) === before?.digest,
        40_000,
      );
      await delivered(repo, sha);
      const [after, ...more] = await world.releases(repo, sha);
      assert.deepEqual(more, []);
      assert.equal(after?.id, before?.id);
      assert.deepEqual(after?.versions, [before?.version, "1.0.0"]);
      assert.equal(builds(await world.log(repo, sha)), 1);
      assert.equal(new Set(world.notices(repo, sha).map(({ id }) => id)).size, 1);
      assert.equal((await world.deliverd.api<ApiRelease>("/api/v1/releases/later/v1.0.0")).id, before?.id);
    });

    it("builds again under a version tag if the bytes contain the version", async () => {
      const repo = await world.repo("stamped", {
        ".deliverd.yml": pipeline([image("stamped")]),
        Dockerfile: `${greetingDockerfile}ARG DELIVERD_VERSION\nENV VERSION=$DELIVERD_VERSION\n`,
      });
      const sha = await world.release(repo);
      const [first] = await world.releases(repo, sha);
      await repo.tag("v1.0.0");
      await repo.push("v1.0.0");
      await until("the version stands", async () => (await world.digest("acme/stamped", "1.0.0")) !== null, 40_000);
      await delivered(repo, sha);
      const releases = await world.releases(repo, sha);
      assert.deepEqual(releases.map((each) => each.versions).sort(), [[first?.version], ["1.0.0"]].sort());
      assert.equal(builds(await world.log(repo, sha)), 2);
      assert.ok((await world.inspect("acme/stamped", "1.0.0")).config.Env?.includes("VERSION=1.0.0"));
      assert.notEqual(await world.digest("acme/stamped", "1.0.0"), first?.digest);
      assert.equal(await world.digest("acme/stamped", first?.version ?? ""), first?.digest);
      assert.equal(await world.digest("acme/stamped", `sha-${sha.slice(0, 7)}`), first?.digest);
      await until("both are announced", () => new Set(world.notices(repo, sha).map(({ id }) => id)).size === 2);
    });

    it("adds the name of a second branch that reaches the commit, without a build", async () => {
      const on = { branches: ["main", "release/*"] };
      const repo = await world.repo("branches", { ".deliverd.yml": pipeline([image("branches")], { on }) });
      const sha = await world.release(repo);
      const digest = (await world.releases(repo, sha))[0]?.digest;
      await repo.branch("release/1");
      await repo.push();
      await until(
        "the branch's name stands",
        async () => (await world.digest("acme/branches", "release-1")) === digest,
        40_000,
      );
      assert.equal(await world.digest("acme/branches", "main"), digest);
      assert.equal(builds(await world.log(repo, sha)), 1);
      assert.equal((await world.releases(repo, sha)).length, 1);
    });

    it("moves latest and {major} to the highest version, and never to an older major's patch", async () => {
      const tags = ["{version}", "latest", "{major}", "{major}.{minor}"];
      const publish = [{ to: "local", as: "acme/majors", tags }];
      const repo = await world.repo("majors", {
        ".deliverd.yml": pipeline([image("majors", { publish })], { on: { branches: ["**"] } }),
      });
      const released = async (tag: string | null, greeting: string): Promise<string> => {
        await repo.commit({ "greeting.txt": greeting });
        if (tag !== null) {
          await repo.tag(tag);
          await repo.push(tag);
        }
        const sha = await world.release(repo);
        return (await world.releases(repo, sha))[0]?.digest ?? "";
      };
      const stands = (tag: string, digest: string) =>
        until(`${tag} is ${digest}`, async () => (await world.digest("acme/majors", tag)) === digest);

      await stands("latest", await released(null, "before any version\n"));
      const one = await released("v1.0.0", "one\n");
      await stands("latest", one);
      await stands("1", one);
      const two = await released("v2.0.0", "two\n");
      await stands("latest", two);
      await stands("2.0", two);
      await repo.branch("old", "v1.0.0");
      const patch = await released("v1.0.1", "one, mended\n");
      await stands("1", patch);
      await stands("1.0", patch);
      await repo.checkout("main");
      const untagged = await released(null, "after two\n");
      assert.notEqual(untagged, two);
      await stands("latest", two);
      await stands("2", two);
    });

    it("says since when an artifact with unchanged paths is the same, and publishes nothing", async () => {
      const repo = await world.repo("paths", {
        ".deliverd.yml": pipeline([image("paths", { paths: ["greeting.txt"] })]),
      });
      const first = await world.release(repo);
      const version = (await world.releases(repo, first))[0]?.version ?? "";
      await repo.commit({ "docs.md": "Nothing that ships" });
      const second = await world.release(repo);
      const status = await world.status(repo, second, "paths", "success");
      assert.equal(status.description, `unchanged since ${version}`);
      assert.deepEqual(await world.releases(repo, second), []);
      assert.deepEqual(world.notices(repo, second), []);
      const { state, artifacts } = await world.delivery(repo, second);
      assert.deepEqual([state, artifacts[0]?.state], ["delivered", "unchanged"]);

      await repo.commit({ "greeting.txt": "Something that ships\n" });
      const third = await world.release(repo);
      assert.equal((await world.releases(repo, third)).length, 1);
    });

    function delivered(repo: SampleRepo, sha: string): Promise<unknown> {
      return until("it is delivered", async () => (await world.delivery(repo, sha)).state === "delivered", 40_000);
    }
  });
}

function builds(log: string): number {
  return log.match(/: frozen as sha256:/g)?.length ?? 0;
}

function eventsOf(stream: string): { event: string; id: string; data: string }[] {
  return stream
    .split("\n\n")
    .filter((block) => block.startsWith("event: "))
    .map((block) => {
      const lines = block.split("\n");
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      return { event: field("event").join(), id: field("id").join(), data: field("data").join("\n") };
    });
}
