// One process in the table. Everything in it is text and stays text; what is not known says why when asked.
import { Component } from "preact";
import { UNKNOWN } from "../state/format";
import type { ListRow } from "../state/process_list";
import type { Column } from "../state/table_columns";

interface Props {
  id: string;
  row: ListRow;
  /** Why a field is null: field → reason. */
  unknown: Readonly<Record<string, string>>;
  /** In the whole list. */
  position: number;
  top: number;
  columns: readonly Column[];
  selected: boolean;
  nowMs: number;
  onSelect: () => void;
}

/** A class for its `shouldComponentUpdate`: a tick draws the rows that changed, scrolling those that come in. */
export class ProcessRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const { row, unknown, position, columns, selected, nowMs } = this.props;
    return next.row !== row || next.unknown !== unknown || next.position !== position || next.columns !== columns
      || next.selected !== selected || next.nowMs !== nowMs;
  }

  override render({ id, row, unknown, position, top, columns, selected, nowMs, onSelect }: Props) {
    return (
      <div
        id={id}
        role="row"
        class={position % 2 === 0 ? "row" : "row odd"}
        aria-rowindex={position + 2}
        aria-selected={selected}
        style={{ top: `${top}px` }}
        // Not onClick: a row can move away between press and release when the list ticks.
        onMouseDown={(event) => { if (event.button === 0) onSelect(); }}
      >
        {columns.map((column, index) => {
          const text = column.text(row, nowMs);
          const bar = column.bar?.(row) ?? 0;
          return (
            <div
              key={column.field}
              role="gridcell"
              aria-colindex={index + 1}
              class={`cell ${column.align} ${column.field}`}
              title={text === UNKNOWN ? reason(unknown, column) : (column.exact?.(row) ?? (column.align === "start" ? text : undefined))}
              data-status={column.field === "status" ? row.status : undefined}
            >
              {bar > 0.004 && <i class="bar" style={{ width: `${(bar * 100).toFixed(1)}%` }} />}
              {column.align === "start" ? <bdi>{text}</bdi> : text}
            </div>
          );
        })}
      </div>
    );
  }
}

function reason(unknown: Props["unknown"], { field }: Column): string {
  const why = unknown[field];
  return why === undefined ? "not known" : `not known: ${why}`;
}
