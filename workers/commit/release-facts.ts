import type { Station } from "../station.ts";
import type { Work } from "./work.ts";

/** What a release says of itself wherever it goes. @param version its first */
export function factsOfBuild(
  station: Pick<Station, "config">,
  work: Pick<Work, "delivery" | "repo" | "commit" | "refs">,
  version: string,
) {
  const { delivery, repo, commit } = work;
  return {
    repo,
    sha: commit.sha,
    ref: delivery.ref ?? work.refs[0] ?? "",
    committedAt: commit.committedAt,
    version,
    cloneUrl: station.config.hosts[repo.host]?.cloneUrl ?? "",
    deliveryId: delivery.id,
  };
}
