// The page from top to bottom: what machine, how it does as a whole, and who does it.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { type App, select } from "../state/app";
import { createFilter } from "../state/filter";
import type { ThemeChoice } from "../state/theme";
import { Banner } from "./Banner";
import { Context } from "./context";
import { CoresPanel } from "./CoresPanel";
import { CpuPanel } from "./CpuPanel";
import { Details } from "./Details";
import { Header } from "./Header";
import { MemoryPanel } from "./MemoryPanel";
import { ProcessTable } from "./ProcessTable";
import { Toolbar } from "./Toolbar";

interface Props {
  app: App;
  theme: ThemeChoice;
}

function typesText(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

export function Page({ app, theme }: Props) {
  const filter = useMemo(() => createFilter(app), [app]);
  const context = useMemo(() => ({ app, theme, filter }), [app, theme, filter]);
  const filterInput = useRef<HTMLInputElement>(null);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/" && !typesText(event.target)) {
        event.preventDefault();
        filterInput.current?.focus();
        filterInput.current?.select();
      } else if (event.key === "Escape" && !typesText(event.target)) {
        if (app.detail.peek() !== null) select(app, null);
        else filter.clear();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [app, filter]);

  const stale = app.connection.state.value.kind !== "live" && app.time.value !== null;
  const detail = app.detail.value;
  return (
    <Context.Provider value={context}>
      <div class={stale ? "page stale" : "page"}>
        <Header />
        <Banner />
        <main class="main">
          <div class="overview">
            <CpuPanel />
            <CoresPanel />
            <MemoryPanel />
          </div>
          <section class={detail === null ? "processes" : "processes with-details"} aria-label="Processes">
            <div class="list">
              <Toolbar input={filterInput} />
              <ProcessTable />
            </div>
            {detail !== null && <Details detail={detail} />}
          </section>
        </main>
      </div>
    </Context.Provider>
  );
}
