import { setTimeout as delay } from "node:timers/promises";
import type { Response } from "express";
import type { DeliveryState } from "../delivery/types.ts";
import { FINISHED_STATES, getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { lastLogSeq } from "../ledger/logs.ts";

const LOOK_EVERY = 400;
const HEARTBEAT = 15_000;

/** What a look at a delivery has found. */
export interface DeliveryUpdate {
  /** Null: there is no such delivery any more. */
  state: DeliveryState | null;
  because: string;
  /** Of the log; read after the state. */
  lastSeq: number;
  /** Nothing more will come. */
  isFinal: boolean;
  /** Nothing was new for a while: a proxy wants to hear something all the same. */
  isHeartbeat: boolean;
}

/** Tells of a delivery whenever something is new, until the client has gone or nothing more will come. */
export type Follow = (id: string, response: Response) => AsyncGenerator<DeliveryUpdate>;

interface Topic {
  last: DeliveryUpdate;
  /** Rises with each thing that is new. */
  revision: number;
  saidAt: number;
  waiting: Set<() => void>;
  followers: number;
}

/** One look at a time serves all who follow, however many they are: who follows costs the ledger nothing by waiting. */
export function createFollow(ledger: Ledger): Follow {
  const topics = new Map<string, Topic>();
  let isLooking = false;

  async function lookAtAll(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    while (topics.size > 0) {
      await delay(LOOK_EVERY);
      // What one look fails with, the next may not: a follower sees only that nothing is new.
      for (const [id, topic] of topics) await look(ledger, id, topic).catch(() => {});
    }
    isLooking = false;
  }

  return async function* follow(id, response) {
    const first = await see(ledger, id);
    // Another may have come meanwhile: then there is one topic already.
    const topic = topics.get(id) ?? topicOf(first);
    topics.set(id, topic);
    topic.followers += 1;
    void lookAtAll();
    try {
      for (let told = -1; !response.destroyed; ) {
        if (topic.revision === told) {
          await news(topic, response);
          continue;
        }
        told = topic.revision;
        yield topic.last;
        if (topic.last.isFinal && topic.revision === told) return;
      }
    } finally {
      topic.followers -= 1;
      if (topic.followers === 0) topics.delete(id);
    }
  };
}

function news({ waiting }: Topic, response: Response): Promise<void> {
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
  return { last, revision: 0, saidAt: Date.now(), waiting: new Set(), followers: 0 };
}

async function look(ledger: Ledger, id: string, topic: Topic): Promise<void> {
  const { last } = topic;
  const seen = await see(ledger, id);
  const isNew = seen.state !== last.state || seen.lastSeq !== last.lastSeq;
  const isHeartbeat = !isNew && Date.now() - topic.saidAt > HEARTBEAT;
  if (!isNew && !isHeartbeat) return;
  topic.last = { ...seen, isHeartbeat };
  topic.revision += 1;
  topic.saidAt = Date.now();
  for (const go of [...topic.waiting]) go();
}

async function see(ledger: Ledger, id: string): Promise<DeliveryUpdate> {
  const delivery = await getDelivery(ledger, id);
  const isFinal = delivery === null || FINISHED_STATES.includes(delivery.state);
  const { state = null, because = "" } = delivery ?? {};
  return { state, because, lastSeq: await lastLogSeq(ledger, id), isFinal, isHeartbeat: false };
}
