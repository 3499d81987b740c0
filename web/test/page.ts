// The page without a document: its state and its feeds before a psiod that is the test.
import { vi } from "vitest";
import { createApp } from "../src/state/app";
import { startFeeds } from "../src/state/feeds";
import { readPageState } from "../src/state/url";
import { connectFake } from "./fake_psiod";

export const ROW_HEIGHT = 20;
/** Rows on screen, the one that is half seen included. */
export const ON_SCREEN = 31;

/** A connected page whose table is thirty rows high, or as it is said. */
export function openPage(search = "", viewport: { height: number; rowHeight: number } | null = { height: 30 * ROW_HEIGHT, rowHeight: ROW_HEIGHT }) {
  const { psio, newest } = connectFake();
  const app = createApp(psio, readPageState(search));
  const stop = startFeeds(app);
  newest().open();
  app.viewport.value = viewport;
  return { app, psiod: newest, stop };
}

/** The tab is looked at, or it is not. */
export function show(visibility: "visible" | "hidden"): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(visibility);
  document.dispatchEvent(new Event("visibilitychange"));
}
