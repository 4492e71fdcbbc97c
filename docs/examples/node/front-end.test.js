import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { chromium } from "playwright-core";

import { frontEnd } from "./front-end.js";

const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);

describe("front end", { skip: executablePath ? false : "there is no Chromium" }, () => {
  let browser;
  before(async () => {
    browser = await chromium.launch({ executablePath });
    await new Promise((resolve) => frontEnd.listen(0, "localhost", resolve));
  });
  after(async () => {
    await browser?.close();
    frontEnd.close();
    frontEnd.closeAllConnections();
  });

  async function open() {
    const page = await browser.newPage();
    await page.clock.install();
    await page.goto(`http://localhost:${frontEnd.address().port}`);
    await page.getByRole("button", { name: "Log in" }).click();
    return page;
  }

  test("ada logs in with one click, and stays logged in", async () => {
    const page = await open();
    await page.getByRole("button", { name: "Ada Lovelace" }).click();
    await page.getByText("Ada Lovelace: 200").waitFor();
    const renewed = page.waitForResponse(/\/oauth\/v2\/token$/);
    await page.clock.fastForward("11:59:30"); // a token lives 12 hours
    assert.equal((await renewed).status(), 200);
  });

  test("a new person has no role", async () => {
    const page = await open();
    await page.getByLabel("Login name").fill("eve");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByText("Eve Example: 403").waitFor();
  });
});
