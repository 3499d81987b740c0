// One WebSocket to psiod that outlives every break: requests become promises matched by id, and a lost connection
// is tried again with growing, jittered waits, so that a thousand clients do not return at once.
import { CommandError, ConnectionLost } from "./errors.js";
import { type EndMessage, type EventMessage, type Reply, parseMessage, unreachable } from "./protocol.js";
import type { Socket } from "./socket.js";

export type ConnectionState =
  | { kind: "connecting"; attempt: number }
  | { kind: "live" }
  /** `retryAt`: milliseconds since the epoch of the next attempt. */
  | { kind: "waiting"; attempt: number; retryAt: number }
  | { kind: "closed" };

/** Who must hear of the connection's fate, apart from requests. */
export interface Hooks {
  state: (state: ConnectionState) => void;
  /** Subscriptions can be made again. */
  live: () => void;
  /** Subscriptions are gone. */
  lost: () => void;
}

interface Pending {
  text: string;
  resolve: (reply: Reply<unknown>) => void;
  reject: (error: unknown) => void;
}

type EventHandler = (message: EventMessage | EndMessage) => void;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** Silence this long while an answer is due means that the other end is gone, although TCP has not noticed. */
const SILENCE_MS = 10_000;

/** Between half and all of 0.5, 1, 2, 4, 8, 15, 15 … seconds. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return Math.round(ceiling * (0.5 + random / 2));
}

export class Connection {
  state: ConnectionState = { kind: "connecting", attempt: 0 };
  private readonly pending = new Map<string | number, Pending>();
  private readonly handlers = new Map<string | number, EventHandler>();
  private socket: Socket | null = null;
  private nextId = 1;
  private attempt = 0;
  private failure: unknown;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly openSocket: () => Socket,
    private readonly hooks: Hooks,
  ) {
    this.connect();
  }

  /** Sends a message with an id of its own. While a connection is being made, the request waits for it. */
  request(message: object, signal?: AbortSignal): Promise<Reply<unknown>> {
    return this.send(this.nextId++, message, signal);
  }

  /** Subscribes: the promise tells whether psiod accepts, and events come to the handler until `forget(id)`. */
  subscribe(message: object, handler: EventHandler): { id: number; accepted: Promise<unknown> } {
    const id = this.nextId++;
    this.handlers.set(id, handler);
    return { id, accepted: this.send(id, message) };
  }

  /** Hands on no more events of this subscription. */
  forget(id: number): void {
    this.handlers.delete(id);
  }

  /** Does not wait out the rest of the back-off: a person asked, or the network came back. */
  retryNow(): void {
    if (this.state.kind === "waiting") this.connect();
  }

  close(): void {
    if (this.state.kind === "closed") return;
    clearTimeout(this.retryTimer);
    this.abandon(new ConnectionLost("this client was closed"));
    this.setState({ kind: "closed" });
  }

  private send(id: number, message: object, signal?: AbortSignal): Promise<Reply<unknown>> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.state.kind === "waiting" || this.state.kind === "closed") return Promise.reject(this.lost());
    const text = JSON.stringify({ ...message, id });
    const answer = new Promise<Reply<unknown>>((resolve, reject) => {
      if (this.pending.size === 0) this.expectSomething();
      this.pending.set(id, { text, resolve, reject });
      if (this.state.kind === "live") this.socket?.send(text);
    });
    if (signal === undefined) return answer;
    // The answer may still come; it then belongs to nobody.
    const abort = () => this.settle(id)?.reject(signal.reason);
    signal.addEventListener("abort", abort);
    return answer.finally(() => signal.removeEventListener("abort", abort));
  }

  private connect(): void {
    clearTimeout(this.retryTimer);
    this.failure = undefined;
    const socket = this.openSocket();
    this.socket = socket;
    this.expectSomething();
    socket.onopen = () => this.opened(socket);
    socket.onmessage = ({ data }: { data: unknown }) => this.receive(data);
    socket.onclose = () => this.dropped();
    // Browsers do not say what went wrong, others do; `close` follows.
    // Nothing comes after an error but a close, and that of Node 20's own WebSocket may never come.
    socket.onerror = (event: { error?: unknown }) => {
      this.failure = event.error;
      this.dropped();
    };
    this.setState({ kind: "connecting", attempt: this.attempt });
  }

  private opened(socket: Socket): void {
    this.expectSomething();
    for (const { text } of this.pending.values()) socket.send(text);
    this.setState({ kind: "live" });
    this.hooks.live();
  }

  private receive(frame: unknown): void {
    this.expectSomething();
    const message = parseMessage(frame);
    if (message === null) return;
    // Only an answer proves the daemon well: one that accepts and hangs up must not be tried every half second.
    this.attempt = 0;
    switch (message.type) {
      case "response":
        this.settle(message.id)?.resolve({ data: message.data, time: message.time ?? null, meta: message.meta ?? {} });
        return;
      case "error":
        this.settle(message.id)?.reject(new CommandError(message.data));
        return;
      case "event":
      case "end":
        this.handlers.get(message.id)?.(message);
        return;
      default:
        unreachable(message);
    }
  }

  private settle(id: string | number | undefined): Pending | undefined {
    if (id === undefined) return undefined;
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  /** Starts the wait for a sign of life anew. It is not prolonged by what is sent, only by what comes. */
  private expectSomething(): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.silent(), SILENCE_MS);
  }

  private silent(): void {
    if (this.socket === null) return;
    if (this.state.kind === "connecting" || this.pending.size > 0) {
      this.failure = new Error(`nothing came for ${SILENCE_MS / 1000} s`);
      this.dropped();
    } else if (this.handlers.size > 0) {
      // Events may be rare or psiod gone. A message that costs it nothing tells: it refuses to end what never began.
      this.request({ type: "unsubscribe", subscription: 0 }).catch(() => undefined);
    }
  }

  private dropped(): void {
    this.attempt += 1;
    const wait = backoffMs(this.attempt, Math.random());
    const error = this.lost();
    this.retryTimer = setTimeout(() => this.connect(), wait);
    this.abandon(error);
    this.setState({ kind: "waiting", attempt: this.attempt, retryAt: Date.now() + wait });
  }

  private lost(): ConnectionLost {
    if (this.state.kind === "closed") return new ConnectionLost("this client was closed");
    const what = this.state.kind === "live" ? "lost the connection to psiod at" : "cannot connect to psiod at";
    const options = this.failure === undefined ? {} : { cause: this.failure };
    return new ConnectionLost(`${what} ${this.url}`, options);
  }

  /** Lets go of the socket and fails whatever was asked through it. */
  private abandon(error: ConnectionLost): void {
    clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    if (socket !== null) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      // The package ws throws errors that nobody listens for, and closing a socket that is still connecting is one.
      socket.onerror = () => undefined;
      socket.close();
    }
    const pending = [...this.pending.values()];
    this.pending.clear();
    this.handlers.clear();
    for (const { reject } of pending) reject(error);
    this.hooks.lost();
  }

  private setState(state: ConnectionState): void {
    this.state = state;
    this.hooks.state(state);
  }
}
