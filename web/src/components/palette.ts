// Colours for canvases, taken from the same CSS variables as everything else and looked up once per theme:
// asking for a computed style in the middle of drawing makes the browser lay the page out first.

let theme = "";
const colors = new Map<string, string>();

/** The value of a CSS variable such as `--cpu`. */
export function color(variable: string): string {
  const current = document.documentElement.dataset["theme"] ?? "";
  if (current !== theme) {
    theme = current;
    colors.clear();
  }
  let value = colors.get(variable);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
    colors.set(variable, value);
  }
  return value;
}

/** `#rrggbb` as three numbers. */
export function rgb(variable: string): [number, number, number] {
  const value = Number.parseInt(color(variable).slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
