// The process table: thousands of rows of which only those on screen are in the document. It is one stop for the
// Tab key; the arrow keys move the selection inside it, as role=grid promises.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { select } from "../state/app";
import { keyText } from "../state/process_table";
import { type Column, COLUMNS, ESSENTIAL_COLUMNS } from "../state/table_columns";
import { type Viewport, moveOfKey, moveRow, scrollToRow, visibleRows } from "../state/visible_rows";
import { ProcessRow } from "./ProcessRow";
import { TableHead } from "./TableHead";
import { usePage } from "./context";

/** Pixels; the style sheet takes them from here. */
const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 32;
/** A table narrower than this shows the essential columns only. */
const NARROW = 560;

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
  const scroller = useRef<HTMLDivElement>(null);
  const scrollTop = useSignal(0);
  const size = useSignal({ width: 1200, height: 600 });
  const viewport = useComputed<Viewport>(() => ({
    scrollTop: scrollTop.value,
    height: Math.max(0, size.value.height - HEAD_HEIGHT),
    rowHeight: ROW_HEIGHT,
    count: app.order.value.length,
  }));
  // Two numbers, so that scrolling by less than a row draws nothing.
  const first = useComputed(() => visibleRows(viewport.value).first);
  const end = useComputed(() => visibleRows(viewport.value).end);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const measure = () => (size.value = { width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useSignalEffect(() => {
    void app.sort.value;
    void app.filter.value;
    scroller.current?.scrollTo({ top: 0 });
  });

  function onKeyDown(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
    const move = moveOfKey(event.key);
    if (move === null || event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const table = app.table.value;
    const order = app.order.value;
    const selected = app.detail.value;
    const current = selected === null ? -1 : order.indexOf(table.find(selected.key));
    const page = Math.max(1, Math.floor(viewport.value.height / ROW_HEIGHT) - 1);
    const next = moveRow(current, move, order.length, page);
    const row = order[next];
    if (row === undefined) return;
    select(app, table.key(row));
    event.currentTarget.scrollTop = scrollToRow(next, viewport.value);
  }

  const table = app.table.value;
  const order = app.order.value;
  const columns = size.value.width < NARROW ? ESSENTIAL_COLUMNS : COLUMNS;
  const selected = app.detail.value === null ? null : keyText(app.detail.value.key);
  const nowMs = app.time.value ?? Date.now();
  const positions = Array.from({ length: end.value - first.value }, (_, i) => first.value + i);
  const shown = positions.map((position) => {
    const row = order[position] ?? 0;
    return { position, row, key: keyText(table.key(row)) };
  });
  return (
    <div
      ref={scroller}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label="Processes"
      aria-rowcount={order.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={selected !== null && shown.some(({ key }) => key === selected) ? rowId(selected) : undefined}
      style={{ "--tracks": tracks(columns), "--least-width": `${leastWidth(columns)}px`, "--row-height": `${ROW_HEIGHT}px`, "--head-height": `${HEAD_HEIGHT}px` }}
      onScroll={(event) => (scrollTop.value = event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <TableHead columns={columns} />
      <div role="rowgroup" class="grid-body" style={{ height: `${order.length * ROW_HEIGHT}px` }}>
        {shown.map(({ position, row, key }) => (
          <ProcessRow
            key={key}
            id={rowId(key)}
            table={table}
            row={row}
            position={position}
            top={position * ROW_HEIGHT}
            columns={columns}
            selected={key === selected}
            nowMs={nowMs}
            onSelect={() => select(app, table.key(row))}
          />
        ))}
      </div>
      {order.length === 0 && (
        <p class="empty">{app.time.value === null ? "Waiting for psiod…" : "No process matches the filter."}</p>
      )}
    </div>
  );
}
