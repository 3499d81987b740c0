// The page as a person meets it: open it, read a cell, click a head; and what must never happen on the way.
import { Traffic } from "./traffic.mjs";
import { expectTimeout } from "./wait.mjs";

/** Opens the page; `faults` collects console errors and requests to anywhere but psiod, `traffic` what is said to it. */
export async function openPage(browser, url, { context = {}, path = "" } = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, timezoneId: "UTC", ...context });
  page.setDefaultTimeout(expectTimeout);
  const faults = [];
  const traffic = new Traffic();
  const { host } = new URL(url);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (new URL(request.url()).host !== host) faults.push(`left the origin: ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    traffic.follow(socket);
    if (new URL(socket.url()).host !== host) faults.push(`left the origin: ${socket.url()}`);
  });
  await page.goto(url + path);
  await rows(page).first().waitFor();
  return { page, faults, traffic };
}

export function rows(page) {
  return page.locator('[role="grid"] [role="row"][aria-selected]');
}

/** The row of a pid, as `{title: text}`. */
export async function readRow(page, pid) {
  return page.evaluate((wanted) => {
    const grid = document.querySelector('[role="grid"]');
    const titles = [...grid.querySelectorAll('[role="columnheader"] button')].map((button) => button.firstChild.textContent);
    for (const row of grid.querySelectorAll('[role="row"][aria-selected]')) {
      const cells = [...row.querySelectorAll('[role="gridcell"]')].map((cell) => cell.textContent);
      if (cells[0] === String(wanted)) return Object.fromEntries(titles.map((title, i) => [title, cells[i]]));
    }
    return null;
  }, pid);
}

/** The pids on screen from top to bottom. */
export async function shownPids(page) {
  const found = await rows(page).evaluateAll((elements) =>
    elements
      .map((row) => ({ index: Number(row.getAttribute("aria-rowindex")), pid: Number(row.firstElementChild.textContent) }))
      .sort((a, b) => a.index - b.index)
      .map(({ pid }) => pid));
  return found;
}

export function head(page, title) {
  return page.locator('[role="columnheader"]').filter({ has: page.getByRole("button", { name: title, exact: true }) });
}
