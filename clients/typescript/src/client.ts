// What a program holds: commands as promises, subscriptions as iterations, and the state of the connection.
import { Connection, type ConnectionState } from "./connection.js";
import { ConnectionLost } from "./errors.js";
import { DeltaInbox, type DeltaTick, type Inbox, type Tick, ValueInbox, WatchInbox, type WatchTick } from "./inbox.js";
import type { Answer, AskedCommand, BareCommand, Chosen, CommandName, Exactly } from "./protocol.js";
import type { ListCommand, Params, Reply, RowOf } from "./protocol.js";
import { type WebSocketClass, webSocketClass, withSocketScheme } from "./socket.js";
import { type Pace, type Question, RunningSubscription, type Subscription } from "./subscription.js";

/** Where psiod listens unless it is told otherwise. */
export const DEFAULT_URL = "ws://localhost:3000/";

export interface ConnectOptions {
  /** The class to use in place of the runtime's own, such as that of the package `ws` on Node 20. */
  WebSocket?: WebSocketClass;
}

export interface RequestOptions {
  /** Rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface SubscribeOptions extends Pace {
  /** Ends the subscription; its iteration throws the signal's reason. */
  signal?: AbortSignal;
  mode?: "delta" | "whole";
}

/** Parameters that may change while a subscription lasts: those that leave the type of its events as it is. */
export type Changeable<N extends CommandName> = Partial<Omit<Params<N>, "fields" | "format">>;

/** A name that the schema of this version does not have; a newer psiod may. */
type NewerName<N extends string> = N extends CommandName ? never : N;

/**
 * Connects to psiod, and connects again whenever the connection breaks, until `close()`.
 *
 * @param url `ws://localhost:3000/` when absent.
 * @throws TypeError when it is no such address; Error when the runtime has no WebSocket and none is given.
 */
export function connect(url: string | URL = DEFAULT_URL, options: ConnectOptions = {}): Psio {
  return new Psio(withSocketScheme(url), webSocketClass(options.WebSocket));
}

export class Psio {
  private readonly connection: Connection;
  private readonly subscriptions = new Set<RunningSubscription<unknown>>();
  private readonly listeners = new Set<(state: ConnectionState) => void>();

  /** Use `connect`. */
  constructor(url: string, WebSocket: WebSocketClass) {
    this.connection = new Connection(url, () => new WebSocket(url), {
      state: (state) => this.tell(state),
      live: () => this.subscriptions.forEach((subscription) => subscription.begin()),
      lost: () => this.subscriptions.forEach((subscription) => subscription.interrupt()),
    });
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** Hears of every change of `state`, not of the present one. Call what it returns to hear no more. */
  onState(listener: (state: ConnectionState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Sends a command. While a connection is being made, it waits for that; between attempts it fails at once.
   *
   * @throws CommandError when psiod refuses; ConnectionLost when the connection breaks first or cannot be made.
   */
  request<N extends AskedCommand, const P extends Params<N>>(
    name: N,
    params: Exactly<Params<N>, P>,
    options?: RequestOptions,
  ): Promise<Reply<Answer<N, P>>>;
  request<N extends BareCommand>(name: N): Promise<Reply<Answer<N, {}>>>;
  request<N extends string>(name: NewerName<N>, params?: object, options?: RequestOptions): Promise<Reply<unknown>>;
  request(name: string, params: object = {}, options: RequestOptions = {}): Promise<Reply<unknown>> {
    return this.connection.request({ type: "command", data: { name, ...params } }, options.signal);
  }

  /** The data of the answer alone; otherwise as `request`. */
  get<N extends AskedCommand, const P extends Params<N>>(
    name: N,
    params: Exactly<Params<N>, P>,
    options?: RequestOptions,
  ): Promise<Answer<N, P>>;
  get<N extends BareCommand>(name: N): Promise<Answer<N, {}>>;
  get<N extends string>(name: NewerName<N>, params?: object, options?: RequestOptions): Promise<unknown>;
  async get(name: string, params: object = {}, options: RequestOptions = {}): Promise<unknown> {
    const { data } = await this.connection.request({ type: "command", data: { name, ...params } }, options.signal);
    return data;
  }

  /**
   * Has psiod send a command's answer at every interval. Iterate over it with `for await`; leaving the loop ends it.
   * After a break of the connection it goes on by itself, with an event that says `resumed`.
   *
   * The iteration throws CommandError when psiod refuses the subscription, SubscriptionEnded when it ends it later.
   */
  subscribe<const P extends Params<"process.watch">>(
    name: "process.watch",
    params?: Exactly<Params<"process.watch">, P>,
    options?: Omit<SubscribeOptions, "mode">,
  ): Subscription<WatchTick>;
  subscribe<N extends ListCommand, const P extends Params<N>>(
    name: N,
    params: Exactly<Params<N>, P>,
    options: SubscribeOptions & { mode: "delta" },
  ): Subscription<DeltaTick<Chosen<RowOf<N>, P>>, Changeable<N>>;
  subscribe<N extends AskedCommand, const P extends Params<N>>(
    name: N,
    params: Exactly<Params<N>, P>,
    options?: SubscribeOptions & { mode?: "whole" },
  ): Subscription<Tick<Answer<N, P>>, Changeable<N>>;
  subscribe<N extends BareCommand>(name: N): Subscription<Tick<Answer<N, {}>>, Changeable<N>>;
  subscribe<N extends string>(
    name: NewerName<N>,
    params?: object,
    options?: SubscribeOptions & { mode?: "whole" },
  ): Subscription<Tick<unknown>>;
  subscribe(name: string, params: object = {}, options: SubscribeOptions = {}): Subscription<unknown> {
    const { interval, mode, signal } = options;
    const question: Question = {
      name,
      params,
      ...(interval === undefined ? {} : { interval }),
      ...(mode === "delta" ? { mode } : {}),
    };
    const abort = () => subscription.finish({ rest: "drop", error: signal?.reason });
    const subscription = new RunningSubscription<unknown>(this.connection, question, inboxFor(question), () => {
      this.subscriptions.delete(subscription);
      signal?.removeEventListener("abort", abort);
    });
    this.subscriptions.add(subscription);
    signal?.addEventListener("abort", abort);
    if (this.state.kind === "closed") {
      subscription.finish({ rest: "drop", error: new ConnectionLost("this client was closed") });
    }
    if (signal?.aborted === true) abort();
    subscription.begin();
    return subscription;
  }

  /** Does not wait out the rest of the back-off: a person asked, or the network came back. */
  retryNow(): void {
    this.connection.retryNow();
  }

  /** Ends everything: what was asked fails with ConnectionLost, iterations are done. */
  close(): void {
    for (const subscription of [...this.subscriptions]) subscription.unsubscribe();
    this.connection.close();
  }

  private tell(state: ConnectionState): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(state);
      } catch (error) {
        // It is the listener's, not the connection's: the connection goes on, and the runtime reports it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

function inboxFor({ name, mode }: Question): Inbox<unknown> {
  if (name === "process.watch") return new WatchInbox();
  return mode === "delta" ? new DeltaInbox() : new ValueInbox();
}
