// The page before this very machine: a process that is known to run is found, and a daemon that dies is waited for.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.mjs";
import { startDaemon } from "./daemon.mjs";
import { openPage, readRow, shownPids } from "./page.mjs";
import { eventually } from "./wait.mjs";

/** At most 15 bytes: the kernel keeps no more of a name. */
const NAME = "psio-e2e-probe";

let folder, browser, daemon, child;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "psio-e2e-"));
  // A program of its own, so that no other process has its name.
  await copyFile("/bin/sleep", join(folder, NAME));
  child = spawn(join(folder, NAME), ["600"], { stdio: "ignore" });
  await once(child, "spawn");
  browser = await launch();
  daemon = await startDaemon();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill();
    await exited;
  }
  if (folder !== undefined) await rm(folder, { recursive: true });
});

describe("a process of this machine", () => {
  it("is found by its pid with its right name", async () => {
    const { page, faults } = await openPage(browser, daemon.url);
    await page.getByRole("searchbox").fill(`pid=${child.pid}`);
    await eventually(() => shownPids(page), [child.pid]);
    const row = await readRow(page, child.pid);
    assert.equal(row.Name, NAME);
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("is shown as exited when it ends", async () => {
    const { page } = await openPage(browser, daemon.url, { path: `?filter=${NAME}` });
    await page.locator('[role="row"][aria-selected]').filter({ hasText: NAME }).first().click();
    await page.getByText(`PID ${child.pid}`, { exact: true }).waitFor();
    const exited = once(child, "exit");
    child.kill();
    await exited;
    await page.getByText("exited", { exact: true }).waitFor();
    await page.close();
  });
});

describe("a daemon that dies", () => {
  it("is waited for, and the page goes on when it is back", async () => {
    const { page, traffic } = await openPage(browser, daemon.url);
    await eventually(() => traffic.lists().length, 1);
    const subscribed = traffic.living.size;
    const shown = await page.getByTestId("count").textContent();
    const { port } = daemon;
    await daemon.stop("SIGKILL");
    await page.getByText(/^Reconnecting/).waitFor();
    await page.getByText("psiod does not answer.").waitFor();
    assert.equal(await page.getByTestId("count").textContent(), shown);

    daemon = await startDaemon({ port });
    await page.getByText("Live", { exact: true }).waitFor({ timeout: 20_000 });
    await eventually(() => page.getByText("psiod does not answer.").count(), 0);
    await eventually(() => traffic.living.size, subscribed);
    const before = traffic.events;
    await eventually(() => traffic.events > before + 8, true);
    await page.getByRole("searchbox").fill(`pid=${process.pid}`);
    await eventually(() => shownPids(page), [process.pid]);
    await page.close();
  });
});
