import assert from "node:assert/strict";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import type { Product } from "../../test/support/hosts/products.ts";
import { startRegistry } from "../../test/support/registries/docker-registry.ts";
import { pullAndRun } from "./run-image.ts";
import { deliver, patience, type Scene } from "./scene.ts";
import { type Started, type Surroundings, surround } from "./surroundings.ts";
import type { Teller } from "./teller.ts";
import { verifyAndTamper } from "./verify.ts";

const PIPELINE = `version: 1
ci: { required: [test] }
artifacts:
  - name: hello
    kind: image
    publish:
      - { to: local, as: acme/hello, tags: ["{version}", "{branch}", "sha-{shortSha}"] }
`;

const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
ARG DELIVERD_VERSION
ENV VERSION=$DELIVERD_VERSION
RUN ["/bin/busybox", "sh", "-c", "echo Building hello $VERSION"]
CMD ["/bin/busybox", "sh", "-c", "echo Hello from acme/hello $VERSION"]
`;

const CONTEXT = "deliverd/hello";

export const title = "deliverd: one commit, from git push to a running container";

export async function begin(started: Started, tell: Teller, product: Product): Promise<Scene> {
  let url = "";
  const around = await surround(started, tell, product, async () => {
    tell.step("Registry");
    ({ url } = await started.add(startRegistry(), (one) => one.stop()));
    tell.fact("url", url);
    return { registries: { local: { type: "oci", url, default: true } } };
  });
  return {
    around,
    play: (signal) => play(around, tell, signal),
    addresses: [["registry", `${url}/v2/acme/hello/tags/list`]],
  };
}

async function play(around: Surroundings, tell: Teller, signal: AbortSignal): Promise<void> {
  const { host, repo, deliverd, sink, engine } = around;
  const patiently = patience(signal);
  const sha = await deliver(around, { ".deliverd.yml": PIPELINE, Dockerfile: DOCKERFILE }, tell, signal);

  const release = await patiently("the release stands under all its names", async () => {
    const { items } = await deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?sha=${sha}`);
    return items.find((each) => each.locations.length === 3);
  });
  tell.step("release", `${release.artifact} ${release.version}`);
  tell.fact("digest", release.digest);
  for (const location of release.locations) tell.fact(location.registry, location.name);

  const reference = release.locations[0]?.pull.split(" ").at(-1) ?? "";
  tell.step("docker pull, run", reference);
  const printed = await pullAndRun(engine.docker, reference, signal);
  tell.quote(printed);
  assert.equal(printed, `Hello from acme/hello ${release.version}\n`, "the container printed something else");

  const status = await patiently("the commit bears the status success", () => {
    const said = host.reportOn(repo, sha, CONTEXT);
    return said?.state === host.success ? said : null;
  });
  tell.step("commit status", `${CONTEXT} ${status.state}: ${status.description}`);

  const notice = await patiently("the deployer has got a notice", () => sink.notices[0]);
  tell.step("notice", `${notice.event.type}, signed, id ${notice.id}`);
  const { repo: from, digest, versions } = (notice.event.data as { customData: ReleaseView }).customData;
  tell.quote(JSON.stringify({ repo: from, versions, digest }, null, 2));
  await verifyAndTamper(deliverd, release, reference, tell, signal);
}
