// The public face of the package.
export { type ConnectOptions, DEFAULT_URL, Psio, type RequestOptions, type SubscribeOptions } from "./client.js";
export { connect } from "./client.js";
export type { ConnectionState } from "./connection.js";
export type { Changes } from "./delta.js";
export { type Code, CommandError, ConnectionLost, type Refusal, SubscriptionEnded } from "./errors.js";
export type { DeltaTick, Tick, WatchTick } from "./inbox.js";
export type {
  Answer,
  AskedCommand,
  Columns,
  CommandName,
  ListCommand,
  Meta,
  Params,
  Reply,
  RowOf,
} from "./protocol.js";
export { type Socket, type WebSocketClass, socketUrl } from "./socket.js";
export type { Pace, Subscription } from "./subscription.js";
export type * from "./types.js";
