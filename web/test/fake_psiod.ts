// A psiod that is the test: it accepts what it is asked, and says what the test has it say.
import { type Psio, connect } from "psio";

interface Message {
  type: string;
  id: number;
  interval?: number;
  mode?: string;
  subscription?: number;
  data?: { name: string } & Record<string, unknown>;
}

interface Subscribed extends Message {
  data: { name: string } & Record<string, unknown>;
  seq: number;
}

export class FakePsiod {
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  readonly received: Message[] = [];
  /** Subscriptions that live, oldest first. */
  subscriptions: Subscribed[] = [];

  send(text: string): void {
    const message = JSON.parse(text) as Message;
    this.received.push(message);
    if (message.type === "subscribe") this.subscriptions.push({ seq: 0, ...message } as Subscribed);
    if (message.type === "unsubscribe") this.forget(message.subscription);
  }

  close(): void {
    this.subscriptions = [];
  }

  open(): void {
    this.onopen?.({});
  }

  break(): void {
    this.subscriptions = [];
    this.onclose?.({});
  }

  /** The living subscriptions to a command. */
  to(name: string): Subscribed[] {
    return this.subscriptions.filter(({ data }) => data.name === name);
  }

  /** How often a command was subscribed to. */
  begun(name: string): number {
    return this.received.filter(({ type, data }) => type === "subscribe" && data?.name === name).length;
  }

  /** Those to the list on screen, without those that only count or name one. */
  lists(): Subscribed[] {
    return this.to("process.getall").filter(({ data, mode }) => mode === "delta" && "sort" in data);
  }

  /** The parameters of the newest subscription to the list on screen. */
  list(): Record<string, unknown> {
    return this.newestList().data;
  }

  newestList(): Subscribed {
    const newest = this.lists().at(-1);
    if (newest === undefined) throw new Error("nobody wants the list");
    return newest;
  }

  /** Tells a subscription to something else than a list. */
  async tell(name: string, data: unknown, meta: object = {}, time = Date.now()): Promise<void> {
    for (const subscription of this.to(name)) {
      if (subscription.mode === undefined) this.event(subscription, data, meta, time);
    }
    await settled();
  }

  /** Tells the list on screen the rows it asked for, out of these. */
  async tellList(rows: readonly object[], meta: { total?: number } = {}, to = this.newestList()): Promise<void> {
    const { offset, limit } = to.data as unknown as { offset: number; limit: number };
    const part = rows.slice(offset, offset + limit) as { pid: number }[];
    const reset = Object.fromEntries(part.map((row) => [`${row.pid}:${row.pid * 10}`, row]));
    const order = part.map(({ pid }) => `${pid}:${pid * 10}`);
    this.event(to, { reset, order }, { total: rows.length, ...meta }, Date.now());
    await settled();
  }

  /** Tells the list on screen what changed. */
  async tellChanges(changes: object, total: number): Promise<void> {
    this.event(this.newestList(), changes, { total }, Date.now());
    await settled();
  }

  async refuse(to: Subscribed, code: string, message: string, details?: object): Promise<void> {
    this.forget(to.id);
    this.say({ type: "error", id: to.id, data: { code, message, details } });
    await settled();
  }

  async end(to: Subscribed, code: string, message: string): Promise<void> {
    this.forget(to.id);
    this.say({ type: "end", id: to.id, data: { code, message } });
    await settled();
  }

  private forget(id: number | undefined): void {
    this.subscriptions = this.subscriptions.filter((subscription) => subscription.id !== id);
  }

  private event(to: Subscribed, data: unknown, meta: object, time: number): void {
    if (to.seq === 0) this.say({ type: "response", id: to.id, data: { interval: to.interval } });
    to.seq += 1;
    this.say({ type: "event", id: to.id, seq: to.seq, time, meta, data });
  }

  private say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** Lets iterations take what was said. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

export function connectFake(): { psio: Psio; newest: () => FakePsiod } {
  const made: FakePsiod[] = [];
  class Recorded extends FakePsiod {
    constructor(_url: string) {
      super();
      made.push(this);
    }
  }
  const psio = connect("ws://psiod.test/", { WebSocket: Recorded });
  const newest = () => {
    const psiod = made.at(-1);
    if (psiod === undefined) throw new Error("nothing was opened");
    return psiod;
  };
  return { psio, newest };
}
