// The process table: thousands of rows of which only those on screen are loaded and in the document. It is one stop
// for the Tab key; the arrow keys move the selection inside it, as role=grid promises.
import { effect, useComputed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { select } from "../state/app";
import { createCursor } from "../state/cursor";
import { keyText, parseKey } from "../state/process_key";
import { rowAt } from "../state/process_list";
import { type Column, COLUMNS, ESSENTIAL_COLUMNS } from "../state/table_columns";
import { moveOfKey, visibleRows } from "../state/visible_rows";
import { ProcessRow } from "./ProcessRow";
import { TableHead } from "./TableHead";
import { usePage } from "./context";

/** Pixels; the style sheet takes them from here. */
const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 32;
/** A table narrower than this shows the essential columns only. */
const NARROW = 560;
/** At midnight `14:03:22` becomes `1 Jan 14:03`: rows are drawn anew so often though nothing in them changed. */
const REDRAW_MS = 900_000;

/** The first of these takes what is left over on a phone, the last one elsewhere. */
function tracks(columns: readonly Column[]): string {
  const grows = columns === ESSENTIAL_COLUMNS ? "name" : "cmdline";
  return columns
    .map(({ field, width }) => (field === grows ? `minmax(${columns === ESSENTIAL_COLUMNS ? 96 : width}px, 1fr)` : `${width}px`))
    .join(" ");
}

/** Narrower than this the table scrolls sideways. */
function leastWidth(columns: readonly Column[]): number {
  return columns === ESSENTIAL_COLUMNS ? 0 : columns.reduce((sum, { width }) => sum + width, 0);
}

export function rowId(key: string): string {
  return `process-${key.replace(":", "-")}`;
}

export function ProcessTable() {
  const { app } = usePage();
  const cursor = useMemo(() => createCursor(app), [app]);
  const scroller = useRef<HTMLDivElement>(null);
  const range = useComputed(() => {
    const size = app.viewport.value;
    const count = app.list.value?.total ?? 0;
    return size === null ? { first: 0, end: 0 } : visibleRows({ ...size, scrollTop: app.scrollTop.value, count });
  });
  // Two numbers, so that scrolling by less than a row draws nothing.
  const first = useComputed(() => range.value.first);
  const end = useComputed(() => range.value.end);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const measure = () => {
      app.columns.value = element.clientWidth < NARROW ? ESSENTIAL_COLUMNS : COLUMNS;
      app.viewport.value = { height: Math.max(0, element.clientHeight - HEAD_HEIGHT), rowHeight: ROW_HEIGHT };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [app]);

  // An effect of its own, because one of the component comes later, when the scrolling has gone on.
  useLayoutEffect(
    () => effect(() => {
      const top = app.scrollTop.value;
      if (scroller.current !== null && scroller.current.scrollTop !== top) scroller.current.scrollTop = top;
    }),
    [app],
  );

  function onKeyDown(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
    const move = moveOfKey(event.key);
    if (move === null || event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    cursor.move(move);
  }

  const list = app.list.value;
  const total = list?.total ?? 0;
  // Those that the rows were asked for; they change together.
  const columns = list?.question.columns ?? app.columns.value;
  const selected = app.detail.value === null ? null : keyText(app.detail.value.key);
  const now = app.time.value ?? Date.now();
  const nowMs = now - (now % REDRAW_MS);
  const positions = Array.from({ length: end.value - first.value }, (_, i) => first.value + i);
  const shown = list === null ? [] : positions.flatMap((position) => {
    const found = rowAt(list, position);
    return found === null ? [] : [{ position, ...found }];
  });
  return (
    <div
      ref={scroller}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label="Processes"
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      aria-busy={shown.length < positions.length}
      aria-activedescendant={selected !== null && shown.some(({ key }) => key === selected) ? rowId(selected) : undefined}
      style={{ "--tracks": tracks(columns), "--least-width": `${leastWidth(columns)}px`, "--row-height": `${ROW_HEIGHT}px`, "--head-height": `${HEAD_HEIGHT}px` }}
      onScroll={(event) => (app.scrollTop.value = event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <TableHead columns={columns} />
      <div role="rowgroup" class="grid-body" style={{ height: `${total * ROW_HEIGHT}px` }}>
        {list !== null && shown.map(({ position, key, row }) => (
          <ProcessRow
            key={key}
            id={rowId(key)}
            row={row}
            unknown={list.unknown}
            position={position}
            top={position * ROW_HEIGHT}
            columns={columns}
            selected={key === selected}
            nowMs={nowMs}
            onSelect={() => select(app, parseKey(key))}
          />
        ))}
      </div>
      {total === 0 && (
        <p class="empty">{list === null ? "Waiting for psiod…" : "No process matches the filter."}</p>
      )}
    </div>
  );
}
