// Light or dark: what the system prefers, until the person chooses; the choice is remembered.
import { type ReadonlySignal, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const STORAGE_KEY = "psio.theme";

export interface ThemeChoice {
  theme: ReadonlySignal<Theme>;
  toggle: () => void;
}

/** Storage can be switched off or full; the page then just forgets. */
function remembered(): Theme | null {
  try {
    const value = localStorage.getItem(STORAGE_KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null;
  }
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // the choice holds until the page is left
  }
}

export function followTheme(): ThemeChoice {
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const theme = signal<Theme>("light");
  let chosen = remembered();
  const show = () => {
    theme.value = chosen ?? (preferred.matches ? "dark" : "light");
    document.documentElement.dataset["theme"] = theme.value;
  };
  preferred.addEventListener("change", show);
  show();
  return {
    theme,
    toggle: () => {
      chosen = theme.value === "dark" ? "light" : "dark";
      remember(chosen);
      show();
    },
  };
}
