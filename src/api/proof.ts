import { type Request, Router } from "express";
import * as z from "zod";
import { buildTypeOf } from "../delivery/proof/build-type.ts";
import { builderId } from "../delivery/proof/facts.ts";
import { iso } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { listedKey } from "../ledger/listed-key.ts";
import { keyLists, proofKeys } from "../ledger/proof-keys.ts";
import { type ProofState, proofOf, releasesWithDigest, stateOfProof } from "../ledger/proofs.ts";
import { getRelease, type Release } from "../ledger/releases.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { VERSION } from "../run/version.ts";
import { isDigest } from "../store/digest.ts";
import { requireRelease } from "./find-releases.ts";
import type { ApiOptions } from "./options.ts";
import { builderSchema, digestProofSchema, keysSchema, proofSchema } from "./proof-schemas.ts";
import { repoName } from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { sendJson } from "./send-json.ts";

const ofRelease = route({
  method: "get",
  path: "/api/v1/releases/:artifact/:version/proof",
  summary: "Show the signed statements about a release, and where they stand.",
  access: "reader",
  query: z.object({ repo: repoName.optional() }),
  answer: { status: 200, content: proofSchema },
  problems: [404, 409],
});
const ofDigest = route({
  method: "get",
  path: "/api/v1/proof/:digest",
  summary: "Show the signed statements about an image's manifest or a file, by its digest.",
  access: "reader",
  query: z.object({}),
  answer: { status: 200, content: digestProofSchema },
  problems: [404],
});
// Open: whoever got a release has to be able to check it.
const keys = route({
  method: "get",
  path: "/.well-known/deliverd/keys.json",
  summary: "List the keys that sign proofs, and every list that was published.",
  access: "open",
  query: z.object({}),
  answer: { status: 200, content: keysSchema },
  problems: [],
});
const builder = route({
  method: "get",
  path: "/.well-known/deliverd/builder/v1",
  summary: "Say what the builder of a provenance is, and what its word is worth.",
  access: "open",
  query: z.object({}),
  answer: { status: 200, content: builderSchema },
  problems: [],
});

export const PROOF_ROUTES: Route[] = [ofRelease, ofDigest, keys, builder];

/** The proof of releases, and the keys that sign it. */
export function proofRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth, statuses } = options;
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, ofRelease, limits.queries, async ({ params }, response, { repo }) => {
    const named = { artifact: String(params.artifact), version: String(params.version) };
    sendJson(response, await proofView(ledger, await requireRelease(options, named, repo)));
  });
  serveRoute(router, auth, ofDigest, limits.queries, async (request, response) => {
    sendJson(response, await proofByDigest(ledger, request));
  });
  serveRoute(router, auth, keys, limits.queries, async (_request, response) => {
    sendJson(response, { keys: (await proofKeys(ledger)).map(listedKey), history: await keyLists(ledger) });
  });
  serveRoute(router, auth, builder, limits.queries, async (_request, response) => {
    sendJson(response, builderDocument(statuses.config.publicUrl));
  });
  return router;
}

/** A release's proof, as the API shows it. */
async function proofView(ledger: Ledger, release: Release) {
  const proof = await proofOf(ledger, release.id);
  const { artifact, version, repoId: _repoId, sha, digest } = release;
  const of = { artifact, version, sha, digest };
  if (proof === null)
    return { ...of, state: "none" satisfies ProofState, because: NO_PROOF, keyId: null, signedAt: null, ...EMPTY };
  const { signedAt, keyId, because, statements, places } = proof;
  return {
    ...of,
    ...{
      state: stateOfProof(proof),
      because: because ?? "",
      keyId,
      signedAt: signedAt === null ? null : iso(signedAt),
    },
    bundles: statements.map(({ predicateType, bundle }) => ({ predicateType, bundle: JSON.parse(bundle) as unknown })),
    places: places.map(({ at, ...place }) => ({ ...place, at: iso(at) })),
  };
}

const EMPTY = { bundles: [], places: [] };
const NO_PROOF = "the release was made before this server made proofs";

async function proofByDigest(ledger: Ledger, request: Request) {
  const digest = String(request.params.digest);
  if (!isDigest(digest)) throw new Problem(400, "A digest is needed: /api/v1/proof/sha256:<64 hex digits>.");
  const ids = await releasesWithDigest(ledger, digest);
  const found = await Promise.all(ids.map((id) => getRelease(ledger, id)));
  const releases = found.filter((release) => release !== null);
  if (releases.length === 0) throw new Problem(404, "No release of this server has this digest.");
  return { digest, releases: await Promise.all(releases.map((release) => proofView(ledger, release))) };
}

/** What the id of the builder in a provenance leads to. */
function builderDocument(publicUrl: string) {
  const base = publicUrl.replace(/\/+$/, "");
  return {
    id: builderId(base),
    builder: { deliverd: VERSION },
    keys: `${base}/.well-known/deliverd/keys.json`,
    buildTypes: [buildTypeOf("image"), buildTypeOf("file")],
    // SLSA 1.2, Build track. Level 3 would need builds that cannot reach the key or each other's caches.
    slsa: {
      level: 2,
      because:
        "provenance exists and is signed by the server; builds run in a shared engine on the server's machine, so it " +
        "is not unforgeable by whoever controls that machine",
    },
    evidence: "the state of checks is what the git host's API said when the gate was read; the host signs nothing",
  };
}
