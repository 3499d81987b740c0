// A subscription as its consumer sees it: events one after the other, across breaks of the connection, until somebody
// ends it.
import type { Connection } from "./connection.js";
import { CommandError, SubscriptionEnded } from "./errors.js";
import type { Inbox } from "./inbox.js";
import type { EndMessage, EventMessage } from "./protocol.js";

/** What `change` may change. */
export interface Pace {
  /** Milliseconds between events, 100 to 3,600,000; 1000 when absent. */
  interval?: number;
}

export interface Subscription<Event, Change = object> extends AsyncIterableIterator<Event, undefined> {
  /**
   * Puts other parameters beside or in place of the present ones, without ending the iteration: the next event is as
   * the first of a new subscription, and if psiod refuses the parameters the iteration throws CommandError.
   */
  change(params: Change, pace?: Pace): void;
  /** Calls back for each event. Resolves when the subscription was ended here, rejects where the iteration throws. */
  forEach(onEvent: (event: Event) => void): Promise<void>;
  /** Ends it; an iteration that waits is done. Leaving a `for await` does the same. */
  unsubscribe(): void;
}

/** What is subscribed to. */
export interface Question extends Pace {
  name: string;
  params: object;
  mode?: "delta";
}

/** How it ended. */
interface Outcome {
  /** What came before and was not taken yet. */
  rest: "deliver" | "drop";
  /** The consumer is told once, and after that it is done. */
  error?: unknown;
}

interface Waiter<Event> {
  resolve: (result: IteratorResult<Event, undefined>) => void;
  reject: (error: unknown) => void;
}

export class RunningSubscription<Event> implements Subscription<Event> {
  private id: number | null = null;
  private waiters: Waiter<Event>[] = [];
  private outcome: Outcome | null = null;
  /** psiod has accepted it once, as it is now. */
  private accepted = false;
  /** The connection broke since the last event. */
  private resumed = false;
  /** The consumer is too slow; it begins again when all that waits is taken. */
  private paused = false;

  constructor(
    private readonly connection: Connection,
    private question: Question,
    private readonly inbox: Inbox<Event>,
    private readonly onFinish: () => void,
  ) {}

  /** Asks psiod for events, where there is a connection to ask through. */
  begin(): void {
    if (this.outcome !== null || this.paused || this.id !== null || this.connection.state.kind !== "live") return;
    const { name, params, interval, mode } = this.question;
    const message = {
      type: "subscribe",
      ...(interval === undefined ? {} : { interval }),
      ...(mode === undefined ? {} : { mode }),
      data: { name, ...params },
    };
    this.inbox.begin();
    const { id, accepted } = this.connection.subscribe(message, (event) => this.receive(event));
    this.id = id;
    accepted.then(
      () => (this.accepted = true),
      (error: unknown) => {
        // A lost connection is followed by another; only a refusal is final.
        if (this.id === id && error instanceof CommandError) this.refused(error);
      },
    );
  }

  /** The connection broke, and the subscription with it. */
  interrupt(): void {
    this.id = null;
    if (this.accepted) this.resumed = true;
  }

  finish(outcome: Outcome): void {
    if (this.outcome !== null) return;
    this.stop();
    this.outcome = outcome;
    this.onFinish();
    for (const waiter of this.waiters.splice(0)) this.settle(waiter);
  }

  change(params: object, pace: Pace = {}): void {
    if (this.outcome !== null) return;
    this.question = { ...this.question, ...pace, params: { ...this.question.params, ...params } };
    this.inbox.drop();
    this.accepted = false;
    this.beginAfresh();
  }

  unsubscribe(): void {
    this.finish({ rest: "drop" });
  }

  async forEach(onEvent: (event: Event) => void): Promise<void> {
    for await (const event of this) onEvent(event);
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    return new Promise((resolve, reject) => this.settle({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.unsubscribe();
    // Who leaves wants to hear no more, not even that it ended by itself meanwhile.
    this.outcome = { rest: "drop" };
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private settle(waiter: Waiter<Event>): void {
    const event = this.outcome?.rest === "drop" ? null : this.inbox.take();
    if (event !== null) {
      waiter.resolve({ done: false, value: event });
    } else if (this.outcome === null) {
      this.waiters.push(waiter);
      this.paused = false;
      this.begin();
    } else if ("error" in this.outcome) {
      waiter.reject(this.outcome.error);
      this.outcome = { rest: "drop" };
    } else {
      waiter.resolve({ done: true, value: undefined });
    }
  }

  private receive(message: EventMessage | EndMessage): void {
    if (message.type === "end") {
      this.forget();
      this.finish({ rest: "deliver", error: new SubscriptionEnded(message.data) });
      return;
    }
    const verdict = this.inbox.accept(message, this.resumed);
    switch (verdict) {
      case "taken": {
        this.resumed = false;
        const waiter = this.waiters.shift();
        if (waiter !== undefined) this.settle(waiter);
        return;
      }
      case "afresh":
        this.beginAfresh();
        return;
      case "full":
        this.paused = true;
        this.stop();
        return;
      case "unusable": {
        const message = `${this.question.name} did not come as a list with keys, which mode "delta" needs`;
        this.finish({ rest: "drop", error: new Error(message) });
        return;
      }
    }
  }

  private refused(error: CommandError): void {
    this.forget();
    // After a break it may be refused what it was granted before: the process exited meanwhile.
    this.finish({ rest: "deliver", error: this.accepted ? new SubscriptionEnded(error) : error });
  }

  private beginAfresh(): void {
    this.stop();
    this.begin();
  }

  /** Tells psiod to send no more. */
  private stop(): void {
    const id = this.forget();
    // That psiod knows it no longer, or that the connection breaks, comes to the same.
    if (id !== null) this.connection.request({ type: "unsubscribe", subscription: id }).catch(() => undefined);
  }

  private forget(): number | null {
    const id = this.id;
    if (id !== null) this.connection.forget(id);
    this.id = null;
    return id;
  }
}
