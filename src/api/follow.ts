import { setTimeout as delay } from "node:timers/promises";
import type { Response } from "express";
import type { DeliveryState } from "../delivery/types.ts";
import { FINISHED_STATES, getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { lastLogSeq } from "../ledger/logs.ts";

/** How soon a follower sees a change. */
const POLL_INTERVAL_MS = 400;
/** Proxies close connections that are silent for too long; most wait at least 30 s. */
const HEARTBEAT_MS = 15_000;

/** The state of a delivery and its log at one time. */
export interface DeliveryUpdate {
  /** Null if there is no such delivery any more. */
  state: DeliveryState | null;
  because: string;
  /** The seq of the last chunk of the log; read after the state. */
  lastSeq: number;
  /** The delivery is finished, so no more updates follow. */
  isFinal: boolean;
  /** Nothing has changed for a while: a heartbeat must be sent to keep the connection open. */
  isHeartbeat: boolean;
}

/** Yields an update whenever a delivery changes, until it is finished or the response is closed. */
export type Follow = (id: string, response: Response) => AsyncGenerator<DeliveryUpdate>;

interface Topic {
  last: DeliveryUpdate;
  /** Increases with each update. */
  revision: number;
  updatedAt: number;
  waiting: Set<() => void>;
  followers: number;
}

/** Creates a Follow that polls each delivery once for all of its followers: more followers cost the ledger nothing. */
export function createFollow(ledger: Ledger): Follow {
  const topics = new Map<string, Topic>();
  let isPolling = false;

  async function pollAll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    while (topics.size > 0) {
      await delay(POLL_INTERVAL_MS);
      // An error is ignored: the next poll may succeed, and followers only see no change meanwhile.
      for (const [id, topic] of topics) await poll(ledger, id, topic).catch(() => {});
    }
    isPolling = false;
  }

  return async function* follow(id, response) {
    const first = await readUpdate(ledger, id);
    // Another follower may have created the topic meanwhile.
    const topic = topics.get(id) ?? topicOf(first);
    topics.set(id, topic);
    topic.followers += 1;
    void pollAll();
    try {
      for (let sent = -1; !response.destroyed; ) {
        if (topic.revision === sent) {
          await nextUpdate(topic, response);
          continue;
        }
        sent = topic.revision;
        yield topic.last;
        if (topic.last.isFinal && topic.revision === sent) return;
      }
    } finally {
      topic.followers -= 1;
      if (topic.followers === 0) topics.delete(id);
    }
  };
}

/** Resolves when the topic has an update, or when the response is closed. */
function nextUpdate({ waiting }: Topic, response: Response): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      waiting.delete(go);
      response.off("close", go);
      resolve();
    };
    waiting.add(go);
    response.once("close", go);
  });
}

function topicOf(last: DeliveryUpdate): Topic {
  return { last, revision: 0, updatedAt: Date.now(), waiting: new Set(), followers: 0 };
}

async function poll(ledger: Ledger, id: string, topic: Topic): Promise<void> {
  const { last } = topic;
  const update = await readUpdate(ledger, id);
  const isNew = update.state !== last.state || update.lastSeq !== last.lastSeq;
  const isHeartbeat = !isNew && Date.now() - topic.updatedAt > HEARTBEAT_MS;
  if (!isNew && !isHeartbeat) return;
  topic.last = { ...update, isHeartbeat };
  topic.revision += 1;
  topic.updatedAt = Date.now();
  for (const go of [...topic.waiting]) go();
}

async function readUpdate(ledger: Ledger, id: string): Promise<DeliveryUpdate> {
  const delivery = await getDelivery(ledger, id);
  const isFinal = delivery === null || FINISHED_STATES.includes(delivery.state);
  const { state = null, because = "" } = delivery ?? {};
  return { state, because, lastSeq: await lastLogSeq(ledger, id), isFinal, isHeartbeat: false };
}
