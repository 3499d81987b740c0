// What stands between psiod, which sends when it ticks, and a consumer, which takes when it is ready. None of the three
// grows without bound: lists and values keep the newest, `process.watch` keeps a bounded queue.
import { type Changes, DeltaList } from "./delta.js";
import { type EventMessage, type Meta, isObject } from "./protocol.js";
import type { ProcessWatchEvent } from "./types.js";

interface EventHead {
  seq: number;
  /** Milliseconds since the epoch when the sample was taken; null when psiod did not say. */
  time: number | null;
  meta: Meta;
  /** The first event after a break of the connection: how much passed meanwhile is not known. */
  resumed: boolean;
}

/** An event of a subscription. */
export interface Tick<Data> extends EventHead {
  data: Data;
  /** Ticks between the event before and this one that were not delivered, because psiod or the consumer was slow. */
  skipped: number;
}

/** An event of a subscription with `mode: "delta"`: the whole list as it is now, and what changed. */
export interface DeltaTick<Row> extends Tick<readonly Row[]> {
  /** The key of each row of `data`, in the same order. */
  keys: readonly string[];
  changes: Changes;
}

/** An event of `process.watch`. */
export interface WatchTick extends EventHead {
  data: ProcessWatchEvent;
}

/** What to do after a message: go on, subscribe afresh at once, do so when the consumer is back, or give up. */
export type Verdict = "taken" | "afresh" | "full" | "unusable";

export interface Inbox<Event> {
  /** A subscription begins: `seq` starts over. */
  begin(): void;
  /** Something else is asked for: what was not taken yet answers a question that nobody has any more. */
  drop(): void;
  /** Keeps what a message says. */
  accept(message: EventMessage, resumed: boolean): Verdict;
  /** The next event for the consumer; null when there is none. */
  take(): Event | null;
}

function head({ seq, time, meta }: EventMessage, resumed: boolean): EventHead {
  return { seq, time: time ?? null, meta: meta ?? {}, resumed };
}

/** The newest event that was not taken yet, and how many were not delivered before it. */
class NewestSlot {
  private newest: EventMessage | null = null;
  private lastSeq = 0;
  private skipped = 0;
  private resumed = false;

  begin(): void {
    this.lastSeq = 0;
  }

  put(message: EventMessage, resumed: boolean): void {
    this.discard();
    this.skipped += Math.max(0, message.seq - this.lastSeq - 1);
    this.resumed ||= resumed;
    this.lastSeq = message.seq;
    this.newest = message;
  }

  discard(): void {
    if (this.newest !== null) this.skipped += 1;
    this.newest = null;
  }

  drop(): void {
    this.newest = null;
    this.skipped = 0;
  }

  take(): (EventHead & { skipped: number }) | null {
    if (this.newest === null) return null;
    const taken = { ...head(this.newest, this.resumed), skipped: this.skipped };
    this.newest = null;
    this.skipped = 0;
    this.resumed = false;
    return taken;
  }

  follows(message: EventMessage): boolean {
    return this.lastSeq > 0 && message.seq === this.lastSeq + 1;
  }

  isFirst(): boolean {
    return this.lastSeq === 0;
  }
}

/** Keeps the newest value. */
export class ValueInbox implements Inbox<Tick<unknown>> {
  private readonly slot = new NewestSlot();
  private data: unknown;

  begin(): void {
    this.slot.begin();
  }

  drop(): void {
    this.slot.drop();
  }

  accept(message: EventMessage, resumed: boolean): Verdict {
    this.slot.put(message, resumed);
    this.data = message.data;
    return "taken";
  }

  take(): Tick<unknown> | null {
    const taken = this.slot.take();
    return taken && { ...taken, data: this.data };
  }
}

/** Applies every change, and hands over the list with all that changed since it was taken last. */
export class DeltaInbox implements Inbox<DeltaTick<object>> {
  private readonly slot = new NewestSlot();
  private readonly list = new DeltaList<object>();

  begin(): void {
    this.slot.begin();
  }

  drop(): void {
    this.slot.drop();
  }

  accept(message: EventMessage, resumed: boolean): Verdict {
    const isReset = isObject(message.data) && "reset" in message.data;
    if ((isReset || this.slot.follows(message)) && this.list.apply(message.data)) {
      this.slot.put(message, resumed);
      return "taken";
    }
    // What was not taken yet would show the list half changed.
    this.slot.discard();
    return isReset || this.slot.isFirst() ? "unusable" : "afresh";
  }

  take(): DeltaTick<object> | null {
    const taken = this.slot.take();
    return taken && { ...taken, ...this.list.take() };
  }
}

/** Events and listed processes that may wait for the consumer. */
export const WATCH_QUEUE_LIMIT = 10_000;

/** Keeps every event up to the limit; beyond it the rest is lost, and a list afresh takes its place. */
export class WatchInbox implements Inbox<WatchTick> {
  private readonly queue: WatchTick[] = [];
  private size = 0;
  private lost = false;

  begin(): void {}

  drop(): void {
    // Events stay true whatever is asked for next; some may be missed until that begins.
    this.lost = true;
  }

  accept(message: EventMessage, resumed: boolean): Verdict {
    const data: ProcessWatchEvent = { events: [], ...(message.data as Partial<ProcessWatchEvent>) };
    if (this.queue.length > 0 && this.size + sizeOf(data) > WATCH_QUEUE_LIMIT) {
      this.lost = true;
      return "full";
    }
    // The list is in the first event of a subscription; this one is not the first that the consumer sees.
    if (this.lost || resumed) data.lost = null;
    this.lost = false;
    this.size += sizeOf(data);
    this.queue.push({ ...head(message, resumed), data });
    return "taken";
  }

  take(): WatchTick | null {
    const taken = this.queue.shift();
    if (taken === undefined) return null;
    this.size -= sizeOf(taken.data);
    return taken;
  }
}

function sizeOf({ events, list }: ProcessWatchEvent): number {
  return 1 + events.length + (list?.length ?? 0);
}
