// One WebSocket to psiod that outlives every break: requests become promises matched by id, and a lost
// connection is tried again with growing, jittered waits, so that a thousand open pages do not return at once.
import { type ReadonlySignal, signal } from "@preact/signals";
import { type Answer, type CommandName, type Params, type Reply, parseMessage, unreachable } from "./protocol";
import type { ApiError } from "./types";

export type ConnectionState =
  | { kind: "connecting"; attempt: number }
  | { kind: "live" }
  | { kind: "waiting"; attempt: number; retryAt: number }
  | { kind: "closed" };

/** psiod refused a request; `code` is one of the protocol's closed list. */
export class CommandError extends Error {
  readonly code: ApiError["code"];
  readonly details: unknown;

  constructor(data: ApiError) {
    super(data.message);
    this.name = "CommandError";
    this.code = data.code;
    this.details = data.details;
  }
}

/** The connection broke before the answer came. */
export class ConnectionLost extends Error {
  constructor() {
    super("the connection to psiod was lost");
    this.name = "ConnectionLost";
  }
}

/** The part of WebSocket that is used, so that tests can hand in their own. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

export interface ConnectionOptions {
  open: () => Socket;
  /** 0 ≤ x < 1; the jitter. */
  random?: () => number;
  now?: () => number;
}

interface Pending {
  resolve: (reply: Reply<unknown>) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** Silence this long means that the other end is gone, although TCP has not noticed. */
const ANSWER_DEADLINE_MS = 10_000;

/** Between half and all of 0.5, 1, 2, 4, 8, 15, 15 … seconds. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return Math.round(ceiling * (0.5 + random / 2));
}

export class Connection {
  readonly state: ReadonlySignal<ConnectionState>;
  private readonly stateSignal = signal<ConnectionState>({ kind: "connecting", attempt: 0 });
  private readonly openSocket: () => Socket;
  private readonly random: () => number;
  private readonly now: () => number;
  private readonly pending = new Map<string | number, Pending>();
  private socket: Socket | null = null;
  private nextId = 1;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    this.openSocket = options.open;
    this.random = options.random ?? Math.random;
    this.now = options.now ?? Date.now;
    this.state = this.stateSignal;
    this.connect();
  }

  request<N extends CommandName, P extends Params<N>>(name: N, params: P): Promise<Reply<Answer<N, P>>> {
    const socket = this.socket;
    if (socket === null || this.stateSignal.value.kind !== "live") return Promise.reject(new ConnectionLost());
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, {
        // The reply's type follows from the command's name; psiod's schema is what makes this true.
        resolve: resolve as (reply: Reply<unknown>) => void,
        reject,
        timer: setTimeout(() => this.dropped(socket), ANSWER_DEADLINE_MS),
      });
      socket.send(JSON.stringify({ type: "command", id, data: { name, ...params } }));
    });
  }

  /** Do not wait out the rest of the back-off: the person asked, or the network came back. */
  retryNow(): void {
    if (this.stateSignal.value.kind === "waiting") this.connect();
  }

  close(): void {
    const socket = this.socket;
    this.abandon();
    socket?.close();
    this.stateSignal.value = { kind: "closed" };
  }

  private connect(): void {
    clearTimeout(this.retryTimer);
    this.stateSignal.value = { kind: "connecting", attempt: this.attempt };
    const socket = this.openSocket();
    this.socket = socket;
    this.retryTimer = setTimeout(() => this.dropped(socket), ANSWER_DEADLINE_MS);
    socket.onopen = () => {
      clearTimeout(this.retryTimer);
      this.stateSignal.value = { kind: "live" };
    };
    socket.onmessage = (event) => {
      if (typeof event.data === "string") this.receive(event.data);
    };
    socket.onclose = () => this.dropped(socket);
  }

  private receive(text: string): void {
    const message = parseMessage(text);
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
        return; // nothing was subscribed
      default:
        unreachable(message);
    }
  }

  private settle(id: string | number | undefined): Pending | undefined {
    if (id === undefined) return undefined;
    const pending = this.pending.get(id);
    if (pending === undefined) return undefined;
    this.pending.delete(id);
    clearTimeout(pending.timer);
    return pending;
  }

  private dropped(socket: Socket): void {
    if (socket !== this.socket) return;
    this.abandon();
    socket.close();
    this.attempt += 1;
    const wait = backoffMs(this.attempt, this.random());
    this.stateSignal.value = { kind: "waiting", attempt: this.attempt, retryAt: this.now() + wait };
    this.retryTimer = setTimeout(() => this.connect(), wait);
  }

  /** Lets go of the socket and fails whatever was asked through it. */
  private abandon(): void {
    clearTimeout(this.retryTimer);
    if (this.socket !== null) {
      this.socket.onopen = null;
      this.socket.onmessage = null;
      this.socket.onclose = null;
      this.socket = null;
    }
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new ConnectionLost());
    }
  }
}

/** The WebSocket address beside the page: same host, same folder, same degree of encryption. */
export function socketUrl(page: string): string {
  const url = new URL(".", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url.href;
}
