// The order of the table. Unknown values come last whichever way the column is sorted, and equal ones are in
// order of pid, so that a quiet machine shows a quiet list.
import type { ProcessRow } from "../api/types";
import type { ProcessTable } from "./process_table";

export type SortField = Exclude<keyof ProcessRow, "started" | "uid" | "cpu_num">;

export interface Sort {
  field: SortField;
  descending: boolean;
}

export const DEFAULT_SORT: Sort = { field: "cpu_percent", descending: true };

const NUMERIC_FIELDS = [
  "pid", "ppid", "nice", "num_threads", "cpu_percent", "cpu_times", "memory_info", "memory_percent", "create_time",
] as const satisfies readonly SortField[];
const TEXT_FIELDS = ["name", "cmdline", "username", "status", "terminal"] as const satisfies readonly SortField[];

type NumericField = (typeof NUMERIC_FIELDS)[number];

function isNumeric(field: SortField): field is NumericField {
  return (NUMERIC_FIELDS as readonly SortField[]).includes(field);
}

/** `-cpu_percent` is descending, as on the wire; null when it is no column. */
export function parseSort(text: string): Sort | null {
  const descending = text.startsWith("-");
  const name = descending ? text.slice(1) : text;
  const field = [...NUMERIC_FIELDS, ...TEXT_FIELDS].find((known) => known === name);
  return field === undefined ? null : { field, descending };
}

export function sortText(sort: Sort): string {
  return (sort.descending ? "-" : "") + sort.field;
}

/** What a click on a column's head does: numbers start with the largest, text with A; a second click turns it. */
export function nextSort(current: Sort, field: SortField): Sort {
  if (current.field === field) return { field, descending: !current.descending };
  return { field, descending: isNumeric(field) && field !== "pid" && field !== "ppid" };
}

function numberAt(table: ProcessTable, field: NumericField, row: number): number | null {
  switch (field) {
    case "cpu_times": {
      const times = table.at("cpu_times", row);
      return times === null ? null : times[0] + times[1];
    }
    case "memory_info":
      return table.at("memory_info", row)?.[0] ?? null;
    default:
      return table.at(field, row);
  }
}

function textAt(table: ProcessTable, field: Exclude<SortField, NumericField>, row: number): string | null {
  const value = field === "cmdline" ? (table.at("cmdline", row)?.join(" ") ?? null) : table.at(field, row);
  return value === null || value === "" ? null : value.toLowerCase();
}

/** Row numbers of the table in display order. */
export function sortRows(table: ProcessTable, sort: Sort): number[] {
  const { count } = table;
  const known: number[] = [];
  const unknown: number[] = [];
  const pids = new Float64Array(count);
  for (let row = 0; row < count; row++) pids[row] = table.at("pid", row) ?? 0;
  const byPid = (a: number, b: number) => (pids[a] ?? 0) - (pids[b] ?? 0);
  const direction = sort.descending ? -1 : 1;

  if (isNumeric(sort.field)) {
    const keys = new Float64Array(count);
    for (let row = 0; row < count; row++) {
      const value = numberAt(table, sort.field, row);
      if (value === null) unknown.push(row);
      else {
        keys[row] = value * direction;
        known.push(row);
      }
    }
    known.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || byPid(a, b));
  } else {
    const keys: string[] = new Array<string>(count).fill("");
    for (let row = 0; row < count; row++) {
      const value = textAt(table, sort.field, row);
      if (value === null) unknown.push(row);
      else {
        keys[row] = value;
        known.push(row);
      }
    }
    known.sort((a, b) => {
      const left = keys[a] ?? "";
      const right = keys[b] ?? "";
      return left === right ? byPid(a, b) : left < right ? -direction : direction;
    });
  }
  unknown.sort(byPid);
  for (const row of unknown) known.push(row);
  return known;
}
