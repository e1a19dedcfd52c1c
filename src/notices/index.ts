import type { NoticeConfig } from "../config/server.ts";
import type { Notifier } from "./notice.ts";
import { webhookNotifier } from "./webhook.ts";

/** Every configured notifier, in the order of the configuration. @throws ConfigError. */
export function openNotifiers(notices: NoticeConfig[]): Notifier[] {
  return notices.map(open);
}

function open({ type, ...config }: NoticeConfig): Notifier {
  switch (type) {
    case "webhook":
      return webhookNotifier(config);
  }
}
