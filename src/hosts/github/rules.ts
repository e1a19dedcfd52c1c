import * as z from "zod";
import type { HostRequired } from "../../delivery/gate.ts";
import { ACTIONS } from "./check-suites.ts";
import { readAnswer } from "./payload.ts";

const rule = z.object({ type: z.string() });
const parameters = <T extends z.ZodRawShape>(shape: T) => z.object({ parameters: z.object(shape) });
const checksRule = parameters({
  required_status_checks: z.array(z.object({ context: z.string(), integration_id: z.number().nullish() })),
});
const workflowsRule = parameters({ workflows: z.array(z.object({ path: z.string() })) });
const scanningRule = parameters({ code_scanning_tools: z.array(z.object({ tool: z.string() })) });
const deploymentsRule = parameters({ required_deployment_environments: z.array(z.string()) });

/**
 * Rules that require no result for a commit: who may push, what a commit may contain, how it is merged.
 * https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
 */
const ASKING_NO_RESULT: ReadonlySet<string> = new Set([
  "branch_name_pattern",
  "commit_author_email_pattern",
  "commit_message_pattern",
  "committer_email_pattern",
  "copilot_code_review",
  "creation",
  "deletion",
  "file_extension_restriction",
  "file_path_restriction",
  "max_file_path_length",
  "max_file_size",
  "merge_queue",
  "non_fast_forward",
  "pull_request",
  "required_linear_history",
  "required_signatures",
  "tag_name_pattern",
  "update",
]);

/** What a branch's rules require of a commit. @throws TransientError if a rule has another shape. */
export function requiredOfRules(rules: unknown[]): HostRequired[] {
  return rules.flatMap((item) => readAnswer("a branch rule", rule, [item]).flatMap(({ type }) => ofRule(type, item)));
}

function ofRule(type: string, item: unknown): HostRequired[] {
  const read = <T>(shape: z.ZodType<T>) => readAnswer(`a rule of ${type}`, shape, [item]);
  switch (type) {
    case "required_status_checks":
      return read(checksRule).flatMap((each) =>
        each.parameters.required_status_checks.map((check) => requiredCheck(check.context, check.integration_id)),
      );
    case "workflows":
      // A check run has the name of its job, never the file of its workflow.
      return read(workflowsRule).flatMap((each) =>
        each.parameters.workflows.map(({ path }) => ({ kind: "unnamed", what: `workflow ${path}`, app: ACTIONS })),
      );
    case "code_scanning":
      return read(scanningRule).flatMap((each) =>
        each.parameters.code_scanning_tools.map(({ tool }) => unnamed(`code scanning by ${tool}`)),
      );
    case "required_deployments":
      return read(deploymentsRule).flatMap((each) =>
        each.parameters.required_deployment_environments.map((to) => unnamed(`a deployment to ${to}`)),
      );
    case "code_coverage":
    case "code_quality":
    case "license_compliance_scanning":
      return [unnamed(type.replaceAll("_", " "))];
    default:
      return ASKING_NO_RESULT.has(type) ? [] : [{ kind: "unknown", rule: type }];
  }
}

/** -1 is GitHub's word for any app. */
export function requiredCheck(name: string, appId: number | null | undefined): HostRequired {
  return { kind: "check", name, appId: appId == null || appId < 0 ? null : appId };
}

function unnamed(what: string): HostRequired {
  return { kind: "unnamed", what, app: null };
}
