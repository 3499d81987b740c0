// A picture of the page: node screenshot.mjs URL OUT.png [--dark] [--width W --height H] [--wait SECONDS] [--select NAME]
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dark: { type: "boolean", default: false },
    width: { type: "string", default: "1440" },
    height: { type: "string", default: "900" },
    // Graphs need a past to be worth looking at.
    wait: { type: "string", default: "8" },
    // Selects the first process whose name matches.
    select: { type: "string" },
  },
});
const [url, out] = positionals;
if (url === undefined || out === undefined) {
  console.error("usage: node screenshot.mjs URL OUT.png [--dark] [--width W] [--height H] [--wait SECONDS] [--select NAME]");
  process.exit(2);
}

const browser = await launch();
try {
  const page = await browser.newPage({
    viewport: { width: Number(values.width), height: Number(values.height) },
    deviceScaleFactor: 2,
    colorScheme: values.dark ? "dark" : "light",
  });
  await page.goto(url);
  const rows = page.locator('[role="row"][aria-selected]');
  await rows.first().waitFor();
  if (values.select !== undefined) await rows.filter({ hasText: values.select }).first().click();
  await page.waitForTimeout(Number(values.wait) * 1000);
  await page.screenshot({ path: out });
} finally {
  await browser.close();
}
