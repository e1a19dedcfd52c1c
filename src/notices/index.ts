import type { NoticeConfig } from "../config/server.ts";
import { ConfigError } from "../delivery/errors.ts";
import type { Notifier } from "./notice.ts";
import { webhookNotifier } from "./webhook.ts";

/** Every configured notifier, in the order of the configuration. @throws ConfigError. */
export function openNotifiers(notices: NoticeConfig[]): Notifier[] {
  const notifiers = notices.map(open);
  const [twice] = notifiers.filter(({ key }, index) => notifiers.findIndex((each) => each.key === key) < index);
  if (twice !== undefined) {
    throw new ConfigError(
      "notice-url-twice",
      `notices: ${twice.target} stands there twice with the same query. A receiver is its whole URL: leave one of the entries out.`,
    );
  }
  return notifiers;
}

function open({ type, ...config }: NoticeConfig): Notifier {
  switch (type) {
    case "webhook":
      return webhookNotifier(config);
  }
}
