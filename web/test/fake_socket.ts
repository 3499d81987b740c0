// A WebSocket whose other end is the test.
import { Connection, type Socket } from "../src/api/socket";

interface Sent {
  type: string;
  id: number;
  data: { name: string } & Record<string, unknown>;
}

export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Sent[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(): void {
    this.closed = true;
  }

  answer(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** Answers the newest request for a command. */
  reply(name: string, data: unknown, more: object = {}): void {
    this.answer({ type: "response", id: this.idOf(name), time: 1000, ...more, data });
  }

  refuse(name: string, code: string, message: string): void {
    this.answer({ type: "error", id: this.idOf(name), data: { code, message } });
  }

  asked(name: string): Sent[] {
    return this.sent.filter(({ data }) => data.name === name);
  }

  private idOf(name: string): number {
    const request = this.asked(name).at(-1);
    if (request === undefined) throw new Error(`nobody asked for ${name}`);
    return request.id;
  }
}

/** A connection and the sockets it opened, oldest first. */
export function connect(random = 0.5) {
  const sockets: FakeSocket[] = [];
  const connection = new Connection({
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    random: () => random,
  });
  const newest = () => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error("nothing was opened");
    return socket;
  };
  return { connection, sockets, newest };
}
