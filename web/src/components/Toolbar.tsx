// Above the table: the filter, what it lets through, what is wrong with it, and how it is written.
import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { countText } from "../state/filter";
import { DEFAULT_SORT, parseSort, sortText } from "../state/sort";
import { COLUMNS } from "../state/table_columns";
import { Icon } from "./Icon";
import { usePage } from "./context";

const EXAMPLES = [
  { text: "ssh", says: "name, command line, user or pid contains ssh" },
  { text: "python worker", says: "both words, in any of them" },
  { text: "cpu_percent>5", says: "more than 5 % of one CPU" },
  { text: "memory_info>500m", says: "more than 500 MiB resident" },
  { text: "username=root !name~kworker", says: "root’s, without the kernel’s workers" },
] as const;

export function Toolbar({ input }: { input: RefObject<HTMLInputElement | null> }) {
  const { app, filter } = usePage();
  const text = app.filter.value;
  const error = app.filterError.value;

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (text === "") input.current?.blur();
    else filter.clear();
  }

  return (
    <div class="toolbar">
      <div class={error === null ? "filter" : "filter refused"}>
        <Icon name="search" />
        <input
          ref={input}
          type="search"
          class="filter-input"
          aria-label="Filter processes"
          aria-invalid={error !== null}
          aria-describedby="filter-error"
          aria-keyshortcuts="/"
          placeholder="Filter: text, cpu_percent>5, username=root"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          onInput={(event) => filter.set(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        {text === "" ? <kbd aria-hidden="true">/</kbd> : (
          <button type="button" class="clear" aria-label="Clear the filter" onClick={() => { filter.clear(); input.current?.focus(); }}>
            <Icon name="close" />
          </button>
        )}
      </div>
      <FilterHelp />
      <div id="filter-error" class="filter-error" role="alert">{error !== null && <bdi>{error}</bdi>}</div>
      <div class="visually-hidden" role="status">{filter.announcement.value}</div>
      <SortChoice />
      <div class="count" data-testid="count">{countText(app.list.value?.total ?? 0, app.total.value, text)}</div>
    </div>
  );
}

function FilterHelp() {
  const { filter } = usePage();
  const open = useSignal(false);
  return (
    <div class="help" onKeyDown={(event) => { if (event.key === "Escape" && open.value) { event.preventDefault(); open.value = false; } }}>
      <button type="button" class="button icon-only" aria-label="How to write a filter" aria-expanded={open.value} aria-controls="filter-help" onClick={() => (open.value = !open.value)}>
        <Icon name="help" />
      </button>
      <div id="filter-help" class="help-card" hidden={!open.value}>
        <ul>
          {EXAMPLES.map(({ text, says }) => (
            <li key={text}>
              <button type="button" class="example" onClick={() => { filter.set(text); open.value = false; }}>{text}</button>
              <span>{says}</span>
            </li>
          ))}
        </ul>
        <p>Fields are named as in the API: {COLUMNS.map((column) => column.field).join(", ")}.</p>
      </div>
    </div>
  );
}

/** On a phone most columns are not there to be clicked. */
function SortChoice() {
  const { app } = usePage();
  return (
    <label class="sort-choice">
      <span>Sort</span>
      <select value={sortText(app.sort.value)} onChange={(event) => (app.sort.value = parseSort(event.currentTarget.value) ?? DEFAULT_SORT)}>
        {COLUMNS.flatMap(({ field, title }) => [
          <option key={field} value={field}>{title} ↑</option>,
          <option key={`-${field}`} value={`-${field}`}>{title} ↓</option>,
        ])}
      </select>
    </label>
  );
}
