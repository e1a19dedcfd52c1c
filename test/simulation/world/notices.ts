import { TransientError } from "../../../src/delivery/errors.ts";
import type { Notice, Notifier } from "../../../src/notices/notice.ts";
import type { Network } from "../machine/network.ts";
import type { Actor } from "../machine/scheduler.ts";

/** Every notice that arrived, in order. */
export type NoticeSink = Notice[];

export function simNotifier(sink: NoticeSink, caller: Actor, network: Network): Notifier {
  return {
    key: "sink",
    place: "sink",
    target: "https://sink.example",
    send: (notice, signal) =>
      network.call({
        ...{ caller, to: "the receiver of notices", signal, latency: [5, 100], patience: 10_000, mayRepeat: true },
        failure: (why) => new TransientError("notice-unreachable", `the receiver does not answer: ${why}`),
        serve: () => void sink.push(notice),
      }),
    probe: () => Promise.reject(new Error("only doctor tries a receiver")),
  };
}
