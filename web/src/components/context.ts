// What every part of the page may need, handed down once.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { App } from "../state/app";
import type { Filter } from "../state/filter";
import type { ThemeChoice } from "../state/theme";

export interface PageContext {
  app: App;
  theme: ThemeChoice;
  filter: Filter;
}

export const Context = createContext<PageContext | null>(null);

export function usePage(): PageContext {
  const context = useContext(Context);
  if (context === null) throw new Error("invariant: components are drawn inside Page");
  return context;
}
