// Which rows are in the document: those on screen and a few around them, however long the list is.

export interface Viewport {
  scrollTop: number;
  /** Height of what shows rows, without the head of the table. */
  height: number;
  rowHeight: number;
  count: number;
}

/** First row and the one after the last; both within the list. */
export interface RowRange {
  first: number;
  end: number;
}

const OVERSCAN_ROWS = 6;

export function visibleRows({ scrollTop, height, rowHeight, count }: Viewport): RowRange {
  const top = Math.floor(Math.max(0, scrollTop) / rowHeight) - OVERSCAN_ROWS;
  const bottom = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight) + OVERSCAN_ROWS;
  // The list can shrink under a scrolled view: then the last screenful is what there is to show.
  const first = Math.max(0, Math.min(top, count - Math.ceil(height / rowHeight) - OVERSCAN_ROWS));
  return { first, end: Math.max(first, Math.min(count, bottom)) };
}

/** A part of the list: rows from `offset` on, `limit` of them. */
export interface RowWindow {
  offset: number;
  limit: number;
}

/** Rows that are loaded above and below those on screen, so that a little scrolling asks for nothing. */
export const LOADED_OVERSCAN_ROWS = 20;

/** The part to load. It stays the one that is loaded as long as that holds all that is drawn. */
export function rowWindow({ scrollTop, height, rowHeight }: Viewport, loaded: RowWindow | null): RowWindow {
  const top = Math.floor(Math.max(0, scrollTop) / rowHeight);
  const onScreen = Math.ceil(height / rowHeight) + 1;
  const limit = onScreen + 2 * LOADED_OVERSCAN_ROWS;
  if (loaded !== null && loaded.limit === limit) {
    const first = Math.max(0, top - OVERSCAN_ROWS);
    const end = top + onScreen + OVERSCAN_ROWS;
    if (first >= loaded.offset && end <= loaded.offset + loaded.limit) return { offset: loaded.offset, limit };
  }
  return { offset: Math.max(0, top - LOADED_OVERSCAN_ROWS), limit };
}

/** The least scrolling that brings a row wholly into view. */
export function scrollToRow(row: number, { scrollTop, height, rowHeight }: Viewport): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}

export type Move = "up" | "down" | "page-up" | "page-down" | "first" | "last";

/** The row after a key press; `current` is -1 when none is selected. */
export function moveRow(current: number, move: Move, count: number, pageRows: number): number {
  if (count === 0) return -1;
  const clamp = (row: number) => Math.max(0, Math.min(count - 1, row));
  switch (move) {
    case "first":
      return 0;
    case "last":
      return count - 1;
    case "down":
      return clamp(current + 1);
    case "up":
      return current < 0 ? count - 1 : clamp(current - 1);
    case "page-down":
      return clamp(Math.max(0, current) + pageRows);
    case "page-up":
      return clamp(Math.max(0, current) - pageRows);
  }
}

export function moveOfKey(key: string): Move | null {
  switch (key) {
    case "ArrowUp":
      return "up";
    case "ArrowDown":
      return "down";
    case "PageUp":
      return "page-up";
    case "PageDown":
      return "page-down";
    case "Home":
      return "first";
    case "End":
      return "last";
    default:
      return null;
  }
}
