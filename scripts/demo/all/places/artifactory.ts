import { startArtifactory } from "../../../../test/support/registries/artifactory/server.ts";
import { startRegistry } from "../../../../test/support/registries/docker-registry.ts";
import { startPypi } from "../../../../test/support/registries/files/pypi.ts";
import { TOKEN } from "../../../../test/support/registries/files/server.ts";
import { startVerdaccio } from "../../../../test/support/registries/files/verdaccio.ts";
import { curl, maven, npm, pip, skopeo } from "../clients.ts";
import type { Open } from "../place.ts";

const TYPES = { images: "docker", libs: "maven", modules: "npm", wheels: "pypi", tools: "generic" } as const;

export const openArtifactory: Open = async (start) => {
  const docker = await start(startRegistry(), (one) => one.stop());
  const verdaccio = await start(startVerdaccio(), (one) => one.stop());
  const pypi = await start(startPypi(), (one) => one.stop());
  const behind = {
    ...{ docker: docker.url, npm: verdaccio.url, npmToken: verdaccio.token, pypi: new URL(pypi.url).origin },
    pypiLogin: `Basic ${Buffer.from(`__token__:${TOKEN}`).toString("base64")}`,
  };
  const art = await start(startArtifactory(TYPES, behind), (one) => one.stop());
  const { url, host, username, password, token } = art;
  const login = { username, password };
  return {
    ...{
      key: "art",
      isReal: false,
      is: "its documented REST calls, before Distribution, verdaccio and a stand-in of PyPI",
    },
    config: {
      ...{ url, ...login },
      repositories: Object.fromEntries(Object.entries(TYPES).map(([repository, type]) => [type, repository])),
    },
    clients: {
      image: skopeo(`${host}/images`, login),
      jar: maven(`${url}/libs`, login),
      npm: npm(`${url}/api/npm/modules`, token),
      wheel: pip(`http://${username}:${token}@${host}/artifactory/api/pypi/wheels/simple/`),
      file: curl(login),
    },
    complaints: () => art.violations,
  };
};
