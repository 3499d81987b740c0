// The filter box: what is typed goes to psiod, which knows the one grammar there is; it is asked when the typing
// pauses, and the result is announced once rather than each time the list ticks.
import { signal } from "@preact/signals";
import type { App } from "./app";
import { grouped } from "./format";

const TYPING_PAUSE_MS = 150;
const ANNOUNCE_AFTER_MS = 900;

/** `312 processes` or `12 of 312 match`. */
export function countText(shown: number, all: number | null, filter: string): string {
  if (filter.trim() === "") return shown === 1 ? "1 process" : `${grouped(shown)} processes`;
  return all === null ? `${grouped(shown)} match` : `${grouped(shown)} of ${grouped(all)} match`;
}

export function createFilter(app: App) {
  const announcement = signal("");
  let typing: ReturnType<typeof setTimeout> | undefined;
  let announcing: ReturnType<typeof setTimeout> | undefined;

  function set(text: string): void {
    if (text === app.filter.peek()) return;
    app.filter.value = text;
    clearTimeout(typing);
    clearTimeout(announcing);
    typing = setTimeout(() => (app.wantedFilter.value = text.trim()), TYPING_PAUSE_MS);
    announcing = setTimeout(() => {
      announcement.value = countText(app.list.peek()?.total ?? 0, app.total.peek(), app.filter.peek());
    }, ANNOUNCE_AFTER_MS);
  }

  return { set, clear: () => set(""), announcement };
}

export type Filter = ReturnType<typeof createFilter>;
