// A subscription for as long as it is wanted: where psiod refuses or ends it, it is begun again later.
import { type Refusal, CommandError, type Subscription, SubscriptionEnded } from "psio";
import type { Link } from "./connection";

/** `once` is for a page that is held still: what is not there yet is fetched, and then left as it is. */
export type Mode = "following" | "once" | "off";

const RETRY_MS = 1000;

/** What psiod said, when it refused a subscription or ended it; null when something else went wrong. */
export function refusalIn(error: unknown): Refusal | null {
  return error instanceof CommandError || error instanceof SubscriptionEnded ? error : null;
}

export interface FeedHooks<Event> {
  event: (event: Event) => void;
  /** Whether this refusal is the last word. */
  refused?: (refusal: Refusal) => boolean;
}

/** Begins it; what it returns ends it. */
export function keepSubscribed<Event>(link: Link, subscribe: () => Subscription<Event>, hooks: FeedHooks<Event>): () => void {
  let stopWaiting: () => void = () => undefined;
  let over = false;
  let subscription = begin();

  function begin(): Subscription<Event> {
    const begun = subscribe();
    begun.forEach(hooks.event).catch((error: unknown) => {
      const refusal = refusalIn(error);
      if (refusal === null) throw error;
      if (over || hooks.refused?.(refusal) === true) return;
      const again = () => (subscription = begin());
      const isAbsent = refusal.code === "unknown_command" || refusal.code === "unsupported";
      stopWaiting = isAbsent ? link.onceLost(again) : after(RETRY_MS, again);
    });
    return begun;
  }

  return () => {
    over = true;
    stopWaiting();
    subscription.unsubscribe();
  };
}

/** Calls back later; what it returns calls it off. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
