// The envelope of the wire protocol, around what the schema says of each command. A message that is not understood is
// ignored, as version 1 of the protocol only ever adds.
import type { ApiError, Commands } from "./types";

export interface Meta {
  window_ms?: number;
  /** Rows that matched, before `limit`. */
  total?: number;
  /** Why a field is null on every row that lacks it: field → reason. */
  unknown?: Record<string, string>;
}

/** A list with `"format":"columns"`: one array per field, all of the same length. */
export interface Columns<T> {
  columns: { [K in keyof T]?: T[K][] };
  rows: number;
}

export type CommandName = keyof Commands;
export type Params<N extends CommandName> = Commands[N]["params"];

/** What a command answers when it is asked with these parameters. */
export type Answer<N extends CommandName, P> = P extends { format: "columns" }
  ? Commands[N]["reply"] extends (infer Row)[] ? Columns<Row> : never
  : Commands[N]["reply"];

export interface Reply<T> {
  data: T;
  /** Milliseconds since the epoch when the sample was taken; null when psiod did not say. */
  time: number | null;
  meta: Meta;
}

export type ServerMessage =
  | { type: "response"; id?: string | number; time?: number; meta?: Meta; data: unknown }
  | { type: "error"; id?: string | number; data: ApiError }
  | { type: "event"; id: string | number; seq: number; time?: number; meta?: Meta; data: unknown }
  | { type: "end"; id: string | number; data: ApiError };

const KNOWN_TYPES: ReadonlySet<unknown> = new Set(["response", "error", "event", "end"]);

/** The message in a text frame, or null when it is none that this page knows. */
export function parseMessage(text: string): ServerMessage | null {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof message !== "object" || message === null || !("type" in message)) return null;
  // The shape beyond `type` is psiod's promise, held by the schema that types.ts is generated from.
  return KNOWN_TYPES.has(message.type) ? (message as ServerMessage) : null;
}

/** Holds a switch to every member of a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
