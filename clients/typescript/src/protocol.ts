// The wire protocol around what the schema says of each command: its messages, and how commands are typed by their
// names and parameters. A message that is not understood is ignored, as version 1 of the protocol only ever adds.
import type { Refusal } from "./errors.js";
import type { Commands } from "./types.js";

export interface Meta {
  /** Over how many milliseconds rates were measured. */
  window_ms?: number;
  /** Rows that matched, before `limit`. */
  total?: number;
  /** Why a field is null on every row that lacks it: field → reason. */
  unknown?: Record<string, string>;
}

export interface Reply<T> {
  data: T;
  /** Milliseconds since the epoch when the sample was taken; null when psiod did not say. */
  time: number | null;
  meta: Meta;
}

export type CommandName = keyof Commands;
export type Params<N extends CommandName> = Commands[N]["params"];

/** Commands that can be asked; the others, of kind `watch`, can only be subscribed to. */
export type AskedCommand = { [N in CommandName]: Commands[N]["kind"] extends "watch" ? never : N }[CommandName];
/** Commands that can be asked without parameters. */
export type BareCommand = { [N in AskedCommand]: {} extends Params<N> ? N : never }[AskedCommand];
/** Commands that list. */
export type ListCommand = {
  [N in AskedCommand]: Commands[N]["reply"] extends readonly object[] ? N : never;
}[AskedCommand];
/** A row of a command that lists. */
export type RowOf<N extends ListCommand> = Commands[N]["reply"] extends readonly (infer Row)[] ? Row : never;

/** A list with `format: "columns"`: one array per field, all of the same length. */
export interface Columns<Row> {
  columns: { [Field in keyof Row]: Row[Field][] };
  rows: number;
}

/** A row as `fields` cuts it; where the fields are known only at run time, each may be missing. */
export type Chosen<Row, P> = P extends { fields: readonly (infer Field)[] }
  ? string extends Field ? Partial<Row> : Pick<Row, Field & keyof Row>
  : Row;

/** What a command answers when it is asked with these parameters. */
export type Answer<N extends AskedCommand, P> = Commands[N]["reply"] extends readonly (infer Row)[]
  ? P extends { format: "columns" } ? Columns<Chosen<Row, P>> : Chosen<Row, P>[]
  : Commands[N]["reply"];

/** Parameters that psiod would refuse as unknown do not compile. */
export type Exactly<Wanted, Given extends Wanted> = Given & { [Key in Exclude<keyof Given, keyof Wanted>]: never };

export interface EventMessage {
  type: "event";
  id: string | number;
  seq: number;
  time?: number;
  meta?: Meta;
  data: unknown;
}

export interface EndMessage {
  type: "end";
  id: string | number;
  data: Refusal;
}

export type ServerMessage =
  | { type: "response"; id?: string | number; time?: number; meta?: Meta; data: unknown }
  | { type: "error"; id?: string | number; data: Refusal }
  | EventMessage
  | EndMessage;

/** The message in a text frame, or null when it is none that this version of the client knows. */
export function parseMessage(text: unknown): ServerMessage | null {
  if (typeof text !== "string") return null;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  return isServerMessage(message) ? message : null;
}

function isServerMessage(message: unknown): message is ServerMessage {
  if (!isObject(message)) return false;
  switch (message["type"]) {
    case "response":
      return "data" in message;
    case "event":
      return typeof message["seq"] === "number";
    case "error":
    case "end":
      return isObject(message["data"]) && typeof message["data"]["code"] === "string";
    default:
      return false;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Holds a switch to every member of a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
