import { PackageURL } from "packageurl-js";
import { buildTypeOf } from "./build-type.ts";
import { builderId, type ProofFacts } from "./facts.ts";
import {
  digestSet,
  PROVENANCE_TYPE,
  type ResourceDescriptor,
  STATEMENT_TYPE,
  type Statement,
  subjectsOf,
} from "./statement.ts";

/** https://slsa.dev/spec/v1.2/build-provenance */
export interface Provenance {
  buildDefinition: {
    buildType: string;
    externalParameters: Record<string, unknown>;
    internalParameters: Record<string, unknown>;
    resolvedDependencies: ResourceDescriptor[];
  };
  runDetails: {
    builder: { id: string; version: Record<string, string> };
    metadata: { invocationId: string; startedOn: string; finishedOn: string };
    byproducts: ResourceDescriptor[];
  };
}

/** From which commit a release was built, by which rules, from which bases, by whom and when. */
export function provenanceOf(facts: ProofFacts): Statement<Provenance> {
  return {
    _type: STATEMENT_TYPE,
    subject: subjectsOf(facts.artifact, facts.content),
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: buildTypeOf(facts.kind),
        externalParameters: externalParameters(facts),
        // Without the gate's rule, nobody could tell a release that needed no CI from one whose evidence was removed.
        internalParameters: { version: facts.version, kind: facts.kind, ci: facts.evidence?.gate.ci ?? "unknown" },
        resolvedDependencies: dependencies(facts),
      },
      runDetails: {
        builder: { id: builderId(facts.publicUrl), version: { deliverd: facts.builtBy } },
        metadata: {
          invocationId: `${facts.publicUrl}/deliveries/${facts.deliveryId}`,
          startedOn: facts.startedAt,
          finishedOn: facts.finishedAt,
        },
        byproducts: log(facts),
      },
    },
  };
}

/** Only what the repo decides: a verifier may refuse any other key here. */
function externalParameters({ source, artifact }: ProofFacts): Record<string, unknown> {
  const { repository, ref, pipeline } = source;
  return { repository, ref, ...(pipeline === null ? {} : { pipeline: pipeline.path }), artifact };
}

function dependencies({ source, bases }: ProofFacts): ResourceDescriptor[] {
  const { repository, ref, sha, pipeline } = source;
  const uri = `git+${repository}@${ref}`;
  return [
    { uri, digest: { gitCommit: sha } },
    ...(pipeline === null ? [] : [{ name: "pipeline", uri: `${uri}#${pipeline.path}`, digest: pipeline.digest }]),
    ...bases.map(({ reference, digest }) => ({ name: "base", uri: imageUrl(reference), digest: digestSet(digest) })),
  ];
}

/** The package URL of an image reference, as its author wrote it. */
function imageUrl(reference: string): string {
  const [path = ""] = reference.split("@");
  const tagged = /^(.*?)(?::([^:/]+))?$/.exec(path);
  const parts = (tagged?.[1] ?? path).split("/");
  const hasHost = parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? "");
  const host = hasHost ? parts.shift() : undefined;
  const name = parts.pop() ?? path;
  const namespace = parts.length > 0 ? parts.join("/") : host === undefined ? "library" : undefined;
  const qualifiers = host === undefined ? undefined : { repository_url: host };
  return new PackageURL("docker", namespace, name, tagged?.[2], qualifiers, undefined).toString();
}

function log({ log, publicUrl, deliveryId }: ProofFacts): ResourceDescriptor[] {
  if (log === null) return [];
  return [
    {
      name: "log",
      downloadLocation: `${publicUrl}/api/v1/deliveries/${deliveryId}/log`,
      // The log goes on after the release is recorded: the digest is that of its first bytes.
      digest: { sha256: log.sha256 },
      annotations: { bytes: log.bytes },
    },
  ];
}
