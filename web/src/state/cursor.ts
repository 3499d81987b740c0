// The keyboard's place in the list. It may move to rows that are not loaded; they are selected when they come.
import { effect, untracked } from "@preact/signals";
import { type App, select } from "./app";
import { type ProcessList, type Question, isSameOrder, positionOf, rowAt } from "./process_list";
import { keyText, parseKey } from "./process_key";
import { type Move, type Viewport, moveRow, scrollToRow } from "./visible_rows";

export interface Cursor {
  move: (move: Move) => void;
}

export function createCursor(app: App): Cursor {
  /** Where the selected process was seen last. */
  let seen: { key: string; position: number; order: Question } | undefined;

  effect(() => {
    // In another order it would be another process.
    void app.sort.value;
    void app.wantedFilter.value;
    app.awaited.value = null;
  });
  effect(() => {
    const list = app.list.value;
    if (list === null) return;
    const awaited = app.awaited.value;
    const arrived = awaited === null ? null : rowAt(list, Math.min(awaited, list.total - 1));
    if (arrived !== null) untracked(() => select(app, parseKey(arrived.key)));
    const detail = app.detail.value;
    const key = detail === null ? "" : keyText(detail.key);
    const position = positionOf(list, key);
    if (position >= 0) seen = { key, position, order: list.question };
  });

  /** The position to move from: that of the selected row, else the one above those on screen. */
  function place(list: ProcessList, { scrollTop, rowHeight }: Viewport): number {
    const [detail, awaited] = [app.detail.peek(), app.awaited.peek()];
    if (awaited !== null) return awaited;
    const here = detail !== null && seen?.key === keyText(detail.key) ? seen : undefined;
    if (here !== undefined && isSameOrder(here.order, list.question)) return here.position;
    return Math.ceil(scrollTop / rowHeight) - 1;
  }

  function move(to: Move): void {
    const [list, size] = [app.list.peek(), app.viewport.peek()];
    if (list === null || size === null) return;
    const viewport = { ...size, scrollTop: app.scrollTop.peek(), count: list.total };
    const pageRows = Math.max(1, Math.floor(size.height / size.rowHeight) - 1);
    const position = moveRow(place(list, viewport), to, list.total, pageRows);
    if (position < 0) return;
    const target = rowAt(list, position);
    if (target === null) app.awaited.value = position;
    else select(app, parseKey(target.key));
    app.scrollTop.value = scrollToRow(position, viewport);
  }

  return { move };
}
