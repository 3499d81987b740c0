// Names and command lines are whatever a program wrote there. Shown as they are, a line break would end the row
// and a direction override would make one name look like another; so what has no shape of its own gets one.

// C0 and C1 controls, DEL, and the characters that draw nothing but change how their neighbours are drawn.
// Zero-width joiners stay: scripts and emoji need them.
const UNSHOWN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Those that people know by name. Their Unicode pictures (␊) are missing from many fonts. */
const NAMES: Readonly<Record<string, string>> = {
  "\0": "NUL", "\x07": "BEL", "\b": "BS", "\t": "TAB", "\n": "LF", "\r": "CR", "\x1b": "ESC", "\x7f": "DEL",
};

function picture(character: string): string {
  const name = NAMES[character];
  return `‹${name ?? `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`}›`;
}

export function visibleText(text: string): string {
  return text.replace(UNSHOWN, picture);
}

/** Arguments as a shell would need them, only to be read: those with blanks or nothing in them are quoted. */
export function commandText(args: readonly string[]): string {
  return args.map((arg) => (/^[^\s'"]+$/.test(arg) ? arg : `'${arg}'`)).map(visibleText).join(" ");
}
