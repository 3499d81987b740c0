// Numbers as people read them.
import { describe, expect, it } from "vitest";
import * as format from "../src/state/format";
import { commandText, visibleText } from "../src/state/visible_text";

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KiB"],
    [1024, "1.00 KiB"],
    [72_105_984, "68.8 MiB"],
    [4_062_593_024, "3.78 GiB"],
    [1024 ** 2 - 1, "1.00 MiB"],
    [999.4 * 1024 ** 3, "999 GiB"],
    [2 * 1024 ** 5, "2.00 PiB"],
  ])("%d is %s", (value, text) => {
    expect(format.bytes(value)).toBe(text);
  });

  it("are exact where asked", () => {
    expect(format.exactBytes(72_105_984)).toBe("72,105,984 bytes");
  });
});

describe("percent", () => {
  it("has one decimal in the table", () => {
    expect(format.percent(0.05)).toBe("0.1");
  });

  it("has no decimal in a headline from ten on", () => {
    expect(format.headlinePercent(42.4)).toBe("42 %");
  });

  it("has one decimal in a headline below ten", () => {
    expect(format.headlinePercent(7.25)).toBe("7.3 %");
  });

  it("never shows 10.0", () => {
    expect(format.headlinePercent(9.97)).toBe("10 %");
  });
});

describe("CPU time", () => {
  it.each([
    [0, "0:00.00"],
    [168.648, "2:48.64"],
    [0.07, "0:00.07"],
    [3599.99, "59:59.99"],
    [3600, "1:00:00"],
    [86_399, "23:59:59"],
    [86_400, "1 d 00:00"],
    [200_000, "2 d 07:33"],
  ])("%d s is %s", (value, text) => {
    expect(format.cpuTime(value)).toBe(text);
  });
});

describe("durations", () => {
  it.each([
    [12.9, "12 s"],
    [432, "7 min 12 s"],
    [14_820, "4 h 7 min"],
    [1_051_200, "12 d 4 h"],
  ])("%d s is %s", (value, text) => {
    expect(format.duration(value)).toBe(text);
  });
});

describe("start times", () => {
  const now = new Date(2026, 10, 22, 15, 0, 0).getTime();
  const at = (...parts: [number, number, number, number, number, number]) => new Date(...parts).getTime() / 1000;

  it("are a time when it was today", () => {
    expect(format.started(at(2026, 10, 22, 14, 3, 22), now)).toBe("14:03:22");
  });

  it("have a day when it was this year", () => {
    expect(format.started(at(2026, 10, 21, 14, 3, 22), now)).toBe("21 Nov 14:03");
  });

  it("are a date when it was before", () => {
    expect(format.started(at(2024, 10, 22, 14, 3, 22), now)).toBe("2024-11-22");
  });
});

describe("what is not known", () => {
  const formats = [
    format.bytes, format.exactBytes, format.percent, format.integer, format.grouped, format.cpuTime,
    format.duration, format.dateTime, format.wholePercent,
  ];
  it.each(formats.map((f) => [f.name, f] as const))("is a dash in %s", (_name, f) => {
    expect(f(null)).toBe("–");
  });

  it("is a dash in a headline", () => {
    expect(format.headlinePercent(null)).toBe("– %");
  });
});

describe("text from elsewhere", () => {
  it("shows a line break", () => {
    expect(visibleText("a\nb")).toBe("a‹LF›b");
  });

  it("shows an escape sequence", () => {
    expect(visibleText("\u001b[31mred")).toBe("‹ESC›[31mred");
  });

  it("shows what would turn the direction of text", () => {
    expect(visibleText("\u202Egpj.exe")).toBe("‹U+202E›gpj.exe");
  });

  it("leaves markup as it is", () => {
    expect(visibleText("<img src=x onerror=alert(1)>")).toBe("<img src=x onerror=alert(1)>");
  });

  it("leaves other scripts alone", () => {
    expect(visibleText("größe-日本語-مرحبا-👩‍💻")).toBe("größe-日本語-مرحبا-👩‍💻");
  });

  it("quotes arguments with blanks and empty ones", () => {
    expect(commandText(["echo", "a b", ""])).toBe("echo 'a b' ''");
  });
});
