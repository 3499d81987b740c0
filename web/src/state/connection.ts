// The client as the page uses it: its state is a signal that components draw.
import { type ReadonlySignal, signal } from "@preact/signals";
import type { ConnectionState, Psio } from "psio";

export interface Link {
  psio: Psio;
  state: ReadonlySignal<ConnectionState>;
  /** Calls back once when the connection is next lost: the one after it may be to another psiod. */
  onceLost: (callback: () => void) => () => void;
}

export function followConnection(psio: Psio): Link {
  const state = signal<ConnectionState>(psio.state);
  psio.onState((now) => (state.value = now));
  return {
    psio,
    state,
    onceLost: (callback) => {
      const stop = psio.onState((now) => {
        if (now.kind === "live") return;
        stop();
        callback();
      });
      return stop;
    },
  };
}

/** Holds a switch to every member of a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
