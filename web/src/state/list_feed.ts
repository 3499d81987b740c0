// Keeps the part of the process list that is on screen coming. When something else is wanted – another part, order,
// filter, other columns – the new subscription takes over with its first event, and until then the old rows stay.
import { batch, computed, effect, untracked } from "@preact/signals";
import type { DeltaTick, Refusal, Subscription } from "psio";
import type { App } from "./app";
import { type Mode, after, refusalIn } from "./feed";
import { type ListRow, type Question, isSameOrder, isSameQuestion, listOf } from "./process_list";
import { sortText } from "./sort";
import { rowWindow } from "./visible_rows";

const INTERVAL_MS = 1000;
/** Who scrolls asks for new rows no oftener than this. */
const SPACING_MS = 80;
const RETRY_MS = 1000;

interface Held {
  question: Question;
  subscription: Subscription<DeltaTick<ListRow>>;
}

/** What is wanted now; null until the table is measured. */
function wantedQuestion(app: App): Question | null {
  const size = app.viewport.value;
  if (size === null) return null;
  const list = app.list.value;
  const wanted = app.wantedFilter.value;
  // While psiod refuses what is written, the last filter that it took stays.
  const filter = wanted === app.refusedFilter.value?.filter ? (list?.question.filter ?? "") : wanted;
  const question = { sort: sortText(app.sort.value), filter, columns: app.columns.value, offset: 0, limit: 0 };
  const loaded = list !== null && isSameOrder(list.question, question) ? list : null;
  // Another order or filter is looked at from its beginning.
  const viewport = { ...size, scrollTop: loaded === null ? 0 : app.scrollTop.value, count: loaded?.total ?? 0 };
  return { ...question, ...rowWindow(viewport, loaded?.question ?? null) };
}

/** Begins as `mode` says; what it returns ends it. */
export function feedList(app: App, mode: () => Mode): () => void {
  const wanted = computed(() => wantedQuestion(app));
  /** Whose events are shown, and who takes over with its first event. */
  let current: Held | null = null;
  let next: Held | null = null;
  let notBefore = 0;
  let stopWaiting: () => void = () => undefined;

  function reconsider(): void {
    stopWaiting();
    const question = wanted.peek();
    const now = untracked(mode);
    if (now === "off") drop(next);
    if (now !== "following") drop(current);
    // One at a time: who scrolls fast gets what psiod can give, and asks for the rest after that.
    if (now === "off" || question === null || next !== null) return;
    const shown = now === "following" ? current?.question : app.list.peek()?.question;
    if (shown !== undefined && isSameQuestion(shown, question)) return;
    const wait = notBefore - Date.now();
    if (wait > 0) stopWaiting = after(wait, reconsider);
    else ask(question);
  }

  function ask(question: Question): void {
    notBefore = Date.now() + SPACING_MS;
    const { sort, filter, columns, offset, limit } = question;
    const fields = columns.map(({ field }) => field);
    const params = { fields, sort, offset, limit, ...(filter === "" ? {} : { filter }) };
    const subscription = app.connection.psio.subscribe("process.getall", params, { mode: "delta", interval: INTERVAL_MS });
    const held = { question, subscription };
    next = held;
    subscription.forEach((tick) => show(held, tick)).catch((error: unknown) => {
      const refusal = refusalIn(error);
      if (refusal === null) throw error;
      fail(held, refusal);
    });
  }

  function show(held: Held, tick: DeltaTick<ListRow>): void {
    if (held === next) {
      drop(current);
      current = held;
      next = null;
    }
    if (held !== current) return;
    batch(() => {
      const before = app.list.peek();
      const list = listOf(held.question, tick, before);
      if (before !== null && !isSameOrder(before.question, held.question)) app.scrollTop.value = 0;
      app.list.value = list;
      app.time.value = tick.time ?? Date.now();
      app.problem.value = null;
      if (held.question.filter === "") app.total.value = list.total;
    });
    reconsider();
  }

  function fail(held: Held, refusal: Refusal): void {
    if (held !== next && held !== current) return;
    const { filter } = held.question;
    drop(held);
    if (filter !== "" && refusesFilter(refusal) && filter !== app.refusedFilter.peek()?.filter) {
      app.refusedFilter.value = { filter, message: refusal.message };
    } else {
      // What is shown stays; it is not the fault of the rows that psiod was asked too much.
      if (current === null) app.problem.value = refusal.message;
      notBefore = Date.now() + RETRY_MS;
    }
    reconsider();
  }

  function drop(held: Held | null): void {
    held?.subscription.unsubscribe();
    if (held === current) current = null;
    if (held === next) next = null;
  }

  const stopFollowing = effect(() => {
    void wanted.value;
    void mode();
    untracked(reconsider);
  });
  return () => {
    stopFollowing();
    stopWaiting();
    drop(next);
    drop(current);
  };
}

function refusesFilter({ code, details }: Refusal): boolean {
  return code === "bad_params" && (details as { parameter?: unknown } | undefined)?.parameter === "filter";
}
