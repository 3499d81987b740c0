// What can go wrong, as types that a program can tell apart.
import type { ApiError, ErrorCode } from "./types.js";

/** One of the protocol's codes. The list grows within version 1, so a newer psiod may send one not named here. */
export type Code = ErrorCode | (string & {});

/** Why psiod refused something. */
export interface Refusal {
  code: Code;
  message: string;
  /** The values the message speaks of. */
  details?: ApiError["details"] | undefined;
}

/** psiod refused a request. */
export class CommandError extends Error implements Refusal {
  override readonly name = "CommandError";
  readonly code: Code;
  /** The values the message speaks of. */
  readonly details: Refusal["details"];

  constructor(data: Refusal) {
    super(data.message);
    this.code = data.code;
    this.details = data.details;
  }
}

/**
 * A subscription that psiod had accepted is over, and what it showed cannot be shown any more: the process exited
 * (`not_found`), for instance. Its iteration throws this after the last event.
 */
export class SubscriptionEnded extends Error implements Refusal {
  override readonly name = "SubscriptionEnded";
  readonly code: Code;
  /** The values the message speaks of. */
  readonly details: Refusal["details"];

  constructor(data: Refusal) {
    super(data.message);
    this.code = data.code;
    this.details = data.details;
  }
}

/** The connection broke before the answer came, or there is none. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}
