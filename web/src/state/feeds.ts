// Everything that psiod sends the page: the machine once a second, psiod itself now and then, the rows on screen, and
// the selected process. A page that is held still or that nobody sees is sent nothing.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { type App, applyCpus, applyMemory, interruptHistories } from "./app";
import { feedDetail } from "./detail_feed";
import { type Mode, keepSubscribed } from "./feed";
import { feedList } from "./list_feed";

const INTERVAL_MS = 1000;
/** What hardly changes. */
const SELDOM_MS = 10_000;

/** Begins all of them; what it returns ends them. */
export function startFeeds(app: App): () => void {
  const isSeen = signal(document.visibilityState === "visible");
  const onVisibility = () => (isSeen.value = document.visibilityState === "visible");
  document.addEventListener("visibilitychange", onVisibility);
  const mode = computed<Mode>(() => (!isSeen.value ? "off" : app.paused.value ? "once" : "following"));
  const isFollowing = computed(() => mode.value === "following");
  const isFiltered = computed(() => (app.list.value?.question.filter ?? "") !== "");

  const stops = [
    () => document.removeEventListener("visibilitychange", onVisibility),
    effect(() => (isFollowing.value ? untracked(() => feedMachine(app)) : undefined)),
    effect(() => (isFollowing.value && isFiltered.value ? untracked(() => feedTotal(app)) : undefined)),
    feedList(app, () => mode.value),
    feedDetail(app, () => mode.value),
    effect(() => {
      if (app.connection.state.value.kind === "waiting") untracked(() => interruptHistories(app));
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

function feedMachine(app: App): () => void {
  const { connection } = app;
  const { psio } = connection;
  const pace = { interval: INTERVAL_MS };
  const stops = [
    keepSubscribed(connection, () => psio.subscribe("cpu.getall", {}, pace), {
      event: ({ time, data }) => applyCpus(app, time ?? Date.now(), data),
    }),
    keepSubscribed(connection, () => psio.subscribe("memory.getall", {}, pace), {
      event: ({ time, data }) => applyMemory(app, time ?? Date.now(), data),
    }),
    keepSubscribed(connection, () => psio.subscribe("host.getstats", {}, pace), {
      event: ({ time, data }) => batch(() => {
        app.time.value = time ?? Date.now();
        app.host.value = data;
      }),
    }),
    keepSubscribed(connection, () => psio.subscribe("daemon.getstats", {}, { interval: SELDOM_MS }), {
      event: ({ data }) => (app.daemon.value = data),
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

/** How many there are is not in a filtered list. */
function feedTotal(app: App): () => void {
  const { connection } = app;
  const subscribe = () =>
    connection.psio.subscribe("process.getall", { fields: ["pid"], limit: 0 }, { interval: INTERVAL_MS });
  return keepSubscribed(connection, subscribe, {
    event: ({ meta }) => {
      if (meta.total !== undefined) app.total.value = meta.total;
    },
  });
}
