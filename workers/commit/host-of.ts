import { Refused } from "../../src/delivery/errors.ts";
import type { Repo } from "../../src/delivery/types.ts";
import type { Station } from "../station.ts";

/** The client of the host that a repo is on. @throws Refused `host-gone` */
export function hostOf(station: Pick<Station, "hosts">, repo: Repo) {
  const host = station.hosts.get(repo.host);
  if (host === undefined) throw new Refused("host-gone", `hosts.${repo.host} is no longer configured`);
  return host;
}
