// The wire protocol around what the schema says of each command: its messages, and how commands are typed by their
// names and parameters. A message that is not understood is ignored, as version 1 of the protocol only ever adds.
import type { Refusal } from "./errors.js";
import type { Commands, ProcessRow } from "./types.js";

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

/** Commands that can be asked without parameters. */
export type BareCommand = { [N in CommandName]: {} extends Params<N> ? N : never }[CommandName];
/** Commands that list. */
export type ListCommand = {
  [N in CommandName]: Commands[N]["reply"] extends readonly object[] ? N : never;
}[CommandName];
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
export type Answer<N extends CommandName, P> = Commands[N]["reply"] extends readonly (infer Row)[]
  ? P extends { format: "columns" } ? Columns<Chosen<Row, P>> : Chosen<Row, P>[]
  : Commands[N]["reply"];

/** Parameters that psiod would refuse as unknown do not compile. */
export type Exactly<Wanted, Given extends Wanted> = Given & { [Key in Exclude<keyof Given, keyof Wanted>]: never };

/** What happened to a process, as `process.watch` tells it. What could not be read before it ended is null. */
export interface LifecycleEvent {
  event: "started" | "exec" | "exited";
  pid: number;
  /** Clock ticks from boot to its start; with `pid` it names the process for ever. */
  started: number | null;
  ppid: number | null;
  name: string | null;
  username: string | null;
  cmdline: string[] | null;
  /** 0–255 when it ended by itself. */
  exit_code: number | null;
  /** Number of the signal that ended it. */
  signal: number | null;
  /** Milliseconds since the epoch. */
  time: number;
}

/** A living process, as `process.watch` lists it. */
export type WatchedProcess = Pick<
  ProcessRow,
  "pid" | "started" | "ppid" | "name" | "username" | "cmdline" | "create_time"
>;

/** The data of `process.watch`: what happened in an interval, in order. */
export interface ProcessWatchEvent {
  events: LifecycleEvent[];
  /**
   * Whether the kernel tells of each process, or sweeps are compared and short lives are missed. In the first event, and
   * again when that changes.
   */
  source?: "proc_connector" | "sweeps";
  /** All that live, in place of everything told before: at first, and whenever events are `lost`. */
  list?: WatchedProcess[];
  /** Present when events are missing before these: how many, null when that is not known. */
  lost?: number | null;
}

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
