// A service that takes keys.
import { Service, examples, expect, test } from "./service.ts";

test("a key is asked for, kept for this tab, and opens what it may", async ({ page }) => {
    const [closed, [admin = "", reader = ""]] = await Service.start({}, [
        ["boss", "--scope", "admin"],
        ["reader", "--scope", "read"],
    ]);
    try {
        await page.goto(closed.url);
        await expect(page.locator("h1")).toHaveText("This service takes a key");
        await page.getByLabel("Key", { exact: true }).fill("rs_wrong_key");
        await page.getByRole("button", { name: "Use this key" }).click();
        await expect(page.getByRole("alert")).toContainText("The key is unknown");
        await page.getByLabel("Key", { exact: true }).fill(admin);
        await page.getByRole("button", { name: "Use this key" }).click();
        await expect(page.getByRole("button", { name: "Choose files" })).toBeVisible();

        // Pictures cannot carry a key by themselves; they are there all the same.
        await page.locator("[data-input=files]").setInputFiles(examples.generated);
        await expect(page.locator(".verdict")).toBeVisible({ timeout: 240_000 });
        const picture = page.locator(".sheet img").first();
        await expect.poll(() => picture.evaluate((i: HTMLImageElement) => i.naturalWidth)).toBeGreaterThan(0);
        const job = page.url();

        // It lives in this tab alone.
        const kept = await page.evaluate(() => [JSON.stringify({ ...localStorage }), document.cookie, location.href].join());
        expect(kept).not.toContain(admin);
        expect(await page.evaluate(() => Object.values({ ...sessionStorage }))).toContain(admin);
        const other = await page.context().newPage();
        await other.goto(job);
        await expect(other.locator("h1")).toHaveText("This service takes a key");
        await other.close();

        // Keys are made, shown once, renewed and revoked.
        await page.getByRole("link", { name: "Keys" }).click();
        await page.getByLabel("Name").fill("newsroom");
        await page.getByRole("button", { name: "Make the key" }).click();
        const shown = await page.locator(".shown code").innerText();
        expect(shown).toMatch(/^rs_/);
        const me = (key: string) => fetch(`${closed.url}/v1/me`, { headers: { Authorization: `Bearer ${key}` } });
        expect(((await (await me(shown)).json()) as { scopes: string[] }).scopes).toEqual(["scan", "read"]);
        await page.getByRole("button", { name: "I have it" }).click();
        await expect(page.locator("body")).not.toContainText(shown);
        await page.getByRole("button", { name: "New secret for newsroom" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "New secret" }).click();
        await expect(page.locator(".shown code")).toBeVisible();
        const renewed = await page.locator(".shown code").innerText();
        expect((await me(shown)).status).toBe(401);
        expect((await me(renewed)).status).toBe(200);
        await page.getByRole("button", { name: "I have it" }).click();
        await page.getByRole("button", { name: "Revoke newsroom" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
        await expect(page.locator("tr.gone")).toContainText("newsroom");
        expect((await me(renewed)).status).toBe(401);

        // A reader sees neither keys nor what belongs to somebody else, and may not scan.
        await page.getByRole("button", { name: "Forget the key" }).click();
        await page.getByLabel("Key", { exact: true }).fill(reader);
        await page.getByRole("button", { name: "Use this key" }).click();
        await expect(page.getByText("Only keys with the scope “admin” see this list.")).toBeVisible();
        await page.goto(job);
        await page.reload();
        await expect(page.getByRole("alert")).toContainText("There is no such thing");
        await page.getByRole("link", { name: "Scan", exact: true }).click();
        await page.locator("[data-input=files]").setInputFiles(examples.authentic);
        await expect(page.locator(".files li")).toContainText("The key does not allow this.");
    } finally {
        await closed.stop();
    }
});

test("the first key closes the service", async ({ page }) => {
    const [open] = await Service.start();
    try {
        await page.goto(`${open.url}/#/keys`);
        await expect(page.getByText("This service needs no key", { exact: false })).toBeVisible();
        await expect(page.getByLabel("admin", { exact: false })).toBeChecked();
        await page.getByLabel("Name").fill("first");
        await page.getByRole("button", { name: "Make the key" }).click();
        await page.getByRole("button", { name: "Use it in this browser" }).click();
        await expect(page.getByText("first, owner", { exact: false })).toBeVisible();
        expect((await fetch(`${open.url}/v1/jobs`)).status).toBe(401);
    } finally {
        await open.stop();
    }
});
