// The address holds what is on screen – order, filter, selected process – so that it can be kept or sent.
import { type ProcessKey, keyText, parseKey } from "./process_key";
import { DEFAULT_SORT, type Sort, parseSort, sortText } from "./sort";

export interface PageState {
  sort: Sort;
  filter: string;
  selected: ProcessKey | null;
}

export function readPageState(search: string): PageState {
  const params = new URLSearchParams(search);
  return {
    sort: parseSort(params.get("sort") ?? "") ?? DEFAULT_SORT,
    filter: params.get("filter") ?? "",
    selected: parseKey(params.get("selected") ?? ""),
  };
}

/** The query with its question mark, or nothing when everything is as it is at first. */
export function pageStateText({ sort, filter, selected }: PageState): string {
  const params = new URLSearchParams();
  if (sortText(sort) !== sortText(DEFAULT_SORT)) params.set("sort", sortText(sort));
  if (filter !== "") params.set("filter", filter);
  if (selected !== null) params.set("selected", keyText(selected));
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}
