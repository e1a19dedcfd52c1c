import { receiverUrl } from "../../settings/scalars.ts";

const PLACEHOLDERS = ["{owner}", "{name}"];

/**
 * `https://git.example.com/{owner}/{name}.git`. The names of repos come from webhooks: they may fill in parts of the
 * path, and never say which server is asked.
 */
export const cloneTemplate = receiverUrl.superRefine((value, context) => {
  const [, authority = "", path = ""] = /^https?:\/\/([^/?#]*)([^?#]*)$/i.exec(value) ?? [];
  const others = path.replaceAll("{owner}", "").replaceAll("{name}", "");
  if (authority === "") context.addIssue("a URL without a query (?) and a fragment (#)");
  else if (/[{}]/.test(authority)) context.addIssue("a URL with {owner} and {name} in its path only, not in its host");
  else if (!PLACEHOLDERS.every((each) => path.split(each).length === 2) || /[{}]/.test(others))
    context.addIssue("a URL with {owner} and {name} once each, such as https://git.example.com/{owner}/{name}.git");
});
