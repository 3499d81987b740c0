// One process in the table. Everything in it is text and stays text; what is not known says why when asked.
import { Component } from "preact";
import type { ProcessTable } from "../state/process_table";
import { UNKNOWN } from "../state/format";
import type { Column } from "../state/table_columns";

interface Props {
  id: string;
  table: ProcessTable;
  /** In the table as it came. */
  row: number;
  /** In the order on screen. */
  position: number;
  top: number;
  columns: readonly Column[];
  selected: boolean;
  nowMs: number;
  onSelect: () => void;
}

/** A class for its `shouldComponentUpdate`: scrolling draws the rows that come in, not those that stay. */
export class ProcessRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const { table, row, position, columns, selected } = this.props;
    return next.table !== table || next.row !== row || next.position !== position || next.columns !== columns || next.selected !== selected;
  }

  override render({ id, table, row, position, top, columns, selected, nowMs, onSelect }: Props) {
    const process = table.row(row);
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
          const text = column.text(process, nowMs);
          const bar = column.bar?.(process) ?? 0;
          return (
            <div
              key={column.field}
              role="gridcell"
              aria-colindex={index + 1}
              class={`cell ${column.align} ${column.field}`}
              title={text === UNKNOWN ? reason(table, column) : (column.exact?.(process) ?? (column.align === "start" ? text : undefined))}
              data-status={column.field === "status" ? process.status : undefined}
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

function reason(table: ProcessTable, { field }: Column): string {
  const why = table.unknown[field];
  return why === undefined ? "not known" : `not known: ${why}`;
}
