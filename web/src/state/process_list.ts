// The part of the process list that is on screen, as psiod sent it: sorted, filtered and cut out there.
import type { DeltaTick, ProcessRow } from "psio";
import type { SortField } from "./sort";
import type { Column } from "./table_columns";

/** What the table shows of a process: the fields of the columns that were asked for. */
export type ListRow = Pick<ProcessRow, SortField>;

/** What of the list is asked for. */
export interface Question {
  /** As on the wire. */
  sort: string;
  filter: string;
  columns: readonly Column[];
  offset: number;
  limit: number;
}

export interface ProcessList {
  question: Question;
  /** Those from `question.offset` on. */
  rows: readonly ListRow[];
  /** The key of each row, as text. */
  keys: readonly string[];
  /** How many pass the filter, shown or not. */
  total: number;
  /** Why a field is null: field → reason. */
  unknown: Readonly<Record<string, string>>;
}

/** Whether two questions list the same processes in the same order, whatever part of them and whatever columns. */
export function isSameOrder(a: Question, b: Question): boolean {
  return a.sort === b.sort && a.filter === b.filter;
}

export function isSameQuestion(a: Question, b: Question): boolean {
  return isSameOrder(a, b) && a.columns === b.columns && a.offset === b.offset && a.limit === b.limit;
}

/** The list that an event tells; what did not change since `before` stays the same object. */
export function listOf(question: Question, tick: DeltaTick<ListRow>, before: ProcessList | null): ProcessList {
  const { data, keys, meta } = tick;
  const unknown = meta.unknown ?? {};
  const isSame = before !== null && JSON.stringify(before.unknown) === JSON.stringify(unknown);
  const total = meta.total ?? question.offset + data.length;
  return { question, rows: data, keys, total, unknown: isSame ? before.unknown : unknown };
}

/** Where in the whole list a process is; -1 when that is not known. */
export function positionOf(list: ProcessList, key: string): number {
  const index = list.keys.indexOf(key);
  return index < 0 ? -1 : list.question.offset + index;
}

/** The row at a position of the whole list, or null when it is not loaded. */
export function rowAt(list: ProcessList, position: number): { key: string; row: ListRow } | null {
  const index = position - list.question.offset;
  const [key, row] = [list.keys[index], list.rows[index]];
  return key === undefined || row === undefined ? null : { key, row };
}
