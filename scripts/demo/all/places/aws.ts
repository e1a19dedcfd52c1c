import { account } from "../../../../test/support/registries/aws/ecr.ts";
import { startRegistry } from "../../../../test/support/registries/docker-registry.ts";
import { startNginx } from "../../../../test/support/registries/files/nginx.ts";
import { startPypi } from "../../../../test/support/registries/files/pypi.ts";
import { LOGIN, TOKEN } from "../../../../test/support/registries/files/server.ts";
import { startVerdaccio } from "../../../../test/support/registries/files/verdaccio.ts";
import { assets, disk } from "../aws-clients.ts";
import { maven, npm, pip, skopeo } from "../clients.ts";
import type { Open } from "../place.ts";

const region = "eu-west-1";

export const openEcr: Open = async (start, aws) => {
  const docker = await start(startRegistry(), (one) => one.stop());
  const door = await start(aws.ecr.open(docker.url), (one) => one.stop());
  // A token of ours, as `aws ecr get-login-password` gives one.
  const login = { username: "AWS", password: aws.ecr.tokens.issue().token };
  return {
    ...{ key: "ecr", isReal: false, is: "AWS's own service model with its signatures, before Distribution" },
    config: { region, account },
    clients: { image: skopeo(new URL(door.url).host, login) },
  };
};

export const openCodeArtifact: Open = async (start, aws) => {
  const repository = { domain: "acme", domainOwner: account, repository: "main" };
  const basic = (user: string, word: string) => `Basic ${Buffer.from(`${user}:${word}`).toString("base64")}`;
  const verdaccio = await start(startVerdaccio(), (one) => one.stop());
  const pypi = await start(startPypi(), (one) => one.stop());
  const nginx = await start(startNginx("basic"), (one) => one.stop());
  // They end with AWS.
  const doors = {
    npm: await aws.codeartifact.open("npm", { url: verdaccio.url, authorization: `Bearer ${verdaccio.token}` }),
    pypi: await aws.codeartifact.open("pypi", {
      ...{ url: new URL(pypi.url).origin, authorization: basic("__token__", TOKEN) },
      inside: (path) => (path === "/" ? "/legacy/" : path),
    }),
    maven: await aws.codeartifact.open("maven", {
      ...{ url: nginx.url, authorization: basic(LOGIN.username, LOGIN.password) },
    }),
  };
  const { token } = aws.codeartifact.tokens.issue();
  const at = (format: keyof typeof doors) => `${doors[format].url}/${format}/main/`;
  const index = new URL("simple/", at("pypi"));
  Object.assign(index, { username: "aws", password: token });
  return {
    ...{ key: "ca", isReal: false, is: "AWS's own service model, before verdaccio, nginx and a stand-in of PyPI" },
    config: { region, ...repository },
    clients: {
      npm: npm(at("npm"), token),
      wheel: pip(index.href),
      jar: maven(at("maven"), { username: "aws", password: token }),
      file: assets(aws, repository),
    },
  };
};

export const openAmi: Open = async (_start, aws) => ({
  ...{ key: "amis", isReal: false, is: "AWS's own service models of EC2 and EBS, which keep every block" },
  config: { region },
  clients: { ami: disk(aws) },
});
