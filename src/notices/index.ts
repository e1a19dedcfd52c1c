import { ConfigError } from "../delivery/errors.ts";
import { type TypedSettings, typeList } from "../settings/type-list.ts";
import type { Notifier } from "./notice.ts";
import type { NoticeKind } from "./notice-kind.ts";
import { webhook } from "./webhook.ts";

/** Every kind of notice. Whatever depends on the kind of a notice asks its declaration here. */
export const noticeTypes = typeList<TypedSettings, NoticeKind>([webhook]);

/**
 * Opens all configured notifiers, in the order of the configuration.
 * @throws ConfigError `notice-url-twice`, `notice-url-invalid`, `notice-secret-invalid`
 */
export function openNotifiers(notices: readonly TypedSettings[], types = noticeTypes): Notifier[] {
  const notifiers = notices.map((settings, index) => types.of(settings).open(settings, `notices[${index}]`));
  const keys = notifiers.map(({ key }) => key);
  for (const [index, { key, target }] of notifiers.entries()) {
    const first = keys.indexOf(key);
    if (first === index) continue;
    throw new ConfigError(
      "notice-url-twice",
      `notices[${index}]: notices[${first}] has the same url (${target}), with the same query. Remove one of them.`,
    );
  }
  return notifiers;
}
