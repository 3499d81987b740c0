// The WebSocket that is used: the runtime's own, or one that is handed in.

/** The part of WebSocket that is used. */
export interface Socket {
  send(text: string): void;
  close(): void;
  // `never` admits whatever event type an implementation declares.
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

/** A WebSocket class: that of browsers, Deno and Node 22, or the one of the package `ws`. */
export type WebSocketClass = new (url: string) => Socket;

const NO_WEBSOCKET = `this runtime has no WebSocket. Node 22 and newer have one. On Node 20 pass that of the package ws:
  import { WebSocket } from "ws";
  connect(url, { WebSocket });
or start node with --experimental-websocket`;

/** The class to use; says what to do where there is none. */
export function webSocketClass(given: WebSocketClass | undefined): WebSocketClass {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (found === undefined) throw new Error(NO_WEBSOCKET);
  return found;
}

/** The WebSocket address beside a page that psiod serves: same host, same folder, same degree of encryption. */
export function socketUrl(page: string): string {
  const url = new URL(".", page);
  url.search = "";
  url.hash = "";
  return withSocketScheme(url);
}

/** Accepts the address that a browser shows for psiod as well: `http` becomes `ws`. */
export function withSocketScheme(address: string | URL): string {
  const url = new URL(address);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new TypeError(`an address of psiod begins with ws:// or wss://; "${address}" does not`);
  }
  return url.href;
}
