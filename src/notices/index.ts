import type { Notifier } from "./notice.ts";
import { webhookNotifier } from "./webhook.ts";

/** One entry of `notices` in the server configuration. */
export interface NoticeConfig {
  type: "webhook";
  url: string;
  secret: string;
}

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
