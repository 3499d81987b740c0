// The head of the table: each title sorts by its column, a second time the other way round. One stop for the Tab
// key; left and right move between the titles.
import { nextSort } from "../state/sort";
import type { Column } from "../state/table_columns";
import { usePage } from "./context";

export function TableHead({ columns }: { columns: readonly Column[] }) {
  const { app } = usePage();
  const sort = app.sort.value;
  const tabStop = columns.some(({ field }) => field === sort.field) ? sort.field : columns[0]?.field;

  function onKeyDown(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const buttons = [...event.currentTarget.querySelectorAll("button")];
    const from = buttons.findIndex((button) => button === document.activeElement);
    event.preventDefault();
    buttons[from + step]?.focus();
  }

  return (
    <div role="rowgroup" class="grid-head">
      <div role="row" class="head-row" aria-rowindex={1} onKeyDown={onKeyDown}>
        {columns.map(({ field, title, hint, align }, index) => {
          const sorted = field === sort.field;
          return (
            <div
              key={field}
              role="columnheader"
              class={`head-cell ${align} ${field}`}
              aria-colindex={index + 1}
              aria-sort={sorted ? (sort.descending ? "descending" : "ascending") : "none"}
            >
              <button type="button" title={hint} tabIndex={field === tabStop ? 0 : -1} onClick={() => (app.sort.value = nextSort(sort, field))}>
                {title}
                <span class="arrow" aria-hidden="true">{sorted ? (sort.descending ? "▼" : "▲") : ""}</span>
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}
