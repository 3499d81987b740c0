// The order of the table, which psiod sorts: unknown values last whichever way, and equal ones in order of pid, so
// that a quiet machine shows a quiet list.
import type { ProcessRow } from "psio";

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

function isNumeric(field: SortField): boolean {
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
