// A WebSocket whose other end is the test.
import { type Psio, connect } from "../src/index.js";

export interface Sent {
  type: string;
  id: number;
  interval?: number;
  mode?: string;
  subscription?: number;
  data?: { name: string } & Record<string, unknown>;
}

export class FakeSocket {
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  onerror: ((event: { error?: unknown }) => void) | null = null;
  readonly sent: Sent[] = [];
  closed = false;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.({});
  }

  break(): void {
    this.onclose?.({});
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  ofType(type: string): Sent[] {
    return this.sent.filter((message) => message.type === type);
  }

  /** The id of the newest subscription. */
  subscription(): number {
    const id = this.ofType("subscribe").at(-1)?.id;
    if (id === undefined) throw new Error("nothing was subscribed to");
    return id;
  }

  /** Accepts the newest subscription. */
  accept(): void {
    this.say({ type: "response", id: this.subscription(), data: { interval: 1000 } });
  }

  event(seq: number, data: unknown, id = this.subscription()): void {
    this.say({ type: "event", id, seq, time: 1000 * seq, meta: {}, data });
  }
}

/** A client and the sockets it opened, oldest first. */
export function fakeClient(): { psio: Psio; sockets: FakeSocket[]; newest: () => FakeSocket } {
  const sockets: FakeSocket[] = [];
  class Recorded extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  const psio = connect("ws://psiod.test/", { WebSocket: Recorded });
  const newest = () => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error("nothing was opened");
    return socket;
  };
  return { psio, sockets, newest };
}

export function liveClient() {
  const made = fakeClient();
  made.newest().open();
  return made;
}

/** Takes the next event, which must be there. */
export async function take<Event>(events: AsyncIterator<Event, undefined>): Promise<Event> {
  const { done, value } = await events.next();
  if (done === true || value === undefined) throw new Error("the iteration is done");
  return value;
}
