import { AsyncLocalStorage } from "node:async_hooks";
import type { Call } from "./call.ts";
import type { Span, Tracer } from "./trace.ts";

/** Where what is observed goes. */
export interface Observer {
  /** Counts a finished call, and logs a failed one. */
  called(call: Call): void;
  /** Null: nobody collects traces. */
  tracer: Tracer | null;
}

/** What is known of the work under way: for its log lines, and for the calls and spans that begin inside it. */
export interface Scope {
  observer: Observer;
  /** Ids that each log line of the work gets. */
  facts: Record<string, unknown>;
  /** The key of the host or registry that is called, or `notices`. Null: not known. */
  to: string | null;
  /** Null: no span has begun. */
  span: Span | null;
}

/** A scope follows the work through every await, so that a function deep inside needs no parameter for it. */
const scopes = new AsyncLocalStorage<Scope>();

/** Undefined: nobody observes this work. */
export function currentScope(): Scope | undefined {
  return scopes.getStore();
}

export function inScope<T>(scope: Scope, work: () => T): T {
  return scopes.run(scope, work);
}

/** Does work that belongs to no scope, such as starting a timer for the work of many. */
export function outsideScopes<T>(work: () => T): T {
  return scopes.exit(work);
}

/** Does the work in a scope of its own. Its log lines have these ids. */
export function observed<T>(observer: Observer, facts: Record<string, unknown>, work: () => T): T {
  return inScope({ observer, facts, to: null, span: null }, work);
}

/**
 * An object whose methods call the host or registry with this key. What they call inside is counted for it.
 * @param except methods that call nobody, or that do other work
 */
export function towards<T extends object>(
  observer: Observer,
  key: string,
  target: T,
  except: readonly (keyof T)[] = [],
): T {
  return new Proxy(target, {
    get(_target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (except.includes(name as keyof T)) return member.bind(target) as unknown;
      return (...args: unknown[]) => calling(key, () => member.apply(target, args) as unknown, observer);
    },
  });
}

/**
 * Does work that calls the host or registry with this key.
 * @param observer of work that has no scope; left out: such work is not observed
 */
export function calling<T>(key: string, work: () => T, observer: Observer | null = null): T {
  const own = observer === null ? undefined : { observer, facts: {}, to: null, span: null };
  const scope = currentScope() ?? own;
  return scope === undefined ? work() : inScope({ ...scope, to: key }, work);
}
