import { startRegistry } from "../../../../test/support/registries/docker-registry.ts";
import { startNginx } from "../../../../test/support/registries/files/nginx.ts";
import { startPypi } from "../../../../test/support/registries/files/pypi.ts";
import { LOGIN, TOKEN } from "../../../../test/support/registries/files/server.ts";
import { startVerdaccio } from "../../../../test/support/registries/files/verdaccio.ts";
import { curl, maven, npm, pip, skopeo } from "../clients.ts";
import type { Open } from "../place.ts";

export const openOci: Open = async (start) => {
  const { url, host, username, password } = await start(startRegistry({ auth: "htpasswd" }), (one) => one.stop());
  return {
    ...{ key: "local", isReal: true, is: "Distribution (docker-registry) with a login" },
    config: { url, username, password, default: true },
    clients: { image: skopeo(host, { username, password }) },
  };
};

export const openDockerHub: Open = async (start) => {
  const { url, host, username, password } = await start(startRegistry({ auth: "token" }), (one) => one.stop());
  return {
    ...{ key: "hub", isReal: false, is: "Distribution with a token server, as Docker Hub has one" },
    config: { url, username, password },
    clients: { image: skopeo(host, { username, password }) },
  };
};

export const openNpm: Open = async (start) => {
  const { url, token } = await start(startVerdaccio(), (one) => one.stop());
  return {
    ...{ key: "npm", isReal: true, is: "verdaccio" },
    config: { url, token },
    clients: { npm: npm(url, token) },
  };
};

export const openPypi: Open = async (start) => {
  const { url, index } = await start(startPypi(), (one) => one.stop());
  return {
    ...{ key: "pypi", isReal: false, is: "PyPI's upload form and simple index, which twine and pip take for real" },
    config: { url, index, token: TOKEN },
    clients: { wheel: pip(index) },
  };
};

export const openMaven: Open = async (start) => {
  const { url } = await start(startNginx("basic"), (one) => one.stop());
  const at = `${url}/releases`;
  return {
    ...{ key: "maven", isReal: true, is: "nginx with WebDAV" },
    config: { url: at, ...LOGIN },
    clients: { jar: maven(at, LOGIN) },
  };
};

export const openHttp: Open = async (start) => {
  const { url } = await start(startNginx("basic"), (one) => one.stop());
  const files = curl(LOGIN);
  return {
    ...{ key: "files", isReal: true, is: "nginx with WebDAV" },
    config: { url: `${url}/artifacts`, ...LOGIN },
    clients: { file: files, npm: files, wheel: files, jar: files },
  };
};
