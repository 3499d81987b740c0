// Debian's Chromium, headless, told not to talk to anyone but the page's own server.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-headless-shell"];

export async function launch() {
  const executablePath = CANDIDATES.find((path) => path && existsSync(path));
  if (executablePath === undefined) throw new Error("no Chromium: apt-get install chromium, or name one in CHROMIUM");
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}
