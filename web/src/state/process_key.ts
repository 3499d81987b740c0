// Which process, for as long as the machine runs: a pid alone is used again.

export interface ProcessKey {
  pid: number;
  started: number;
}

/** As psiod writes the key of a row: `412:1763800`. */
export function keyText(key: ProcessKey): string {
  return `${key.pid}:${key.started}`;
}

/** The key in `412:1763800`, or null when the text is something else. */
export function parseKey(text: string): ProcessKey | null {
  const match = /^(\d{1,10}):(\d{1,15})$/.exec(text);
  return match === null ? null : { pid: Number(match[1]), started: Number(match[2]) };
}
