// Light and dark, small and large, for eyes and for ears.
import { Service, accessible, examples, expect, film, open, scan, test } from "./service.ts";
import type { Page } from "@playwright/test";
import { readFileSync } from "node:fs";

const background = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const DARK = "rgb(20, 23, 27)";
const LIGHT = "rgb(244, 245, 247)";

test("colours follow the system and the switch", async ({ page, service }) => {
    await page.emulateMedia({ colorScheme: "dark" });
    await open(page, service);
    expect(await background(page)).toBe(DARK);
    const colours = page.getByLabel("Colours");
    await colours.selectOption("light");
    expect(await background(page)).toBe(LIGHT);
    await page.reload();
    await expect(page.locator("nav")).toBeVisible();
    expect(await background(page)).toBe(LIGHT);
    await page.emulateMedia({ colorScheme: "light" });
    await colours.selectOption("dark");
    expect(await background(page)).toBe(DARK);
    await colours.selectOption("auto");
    expect(await background(page)).toBe(LIGHT);
});

/** Every view, once it shows something. */
async function everyView(page: Page, service: Service, look: () => Promise<void>): Promise<void> {
    await scan(page, service, examples.authentic);
    await open(page, service);
    await look();
    await page.locator("[data-input=files]").setInputFiles([
        { name: "generated.jpg", mimeType: "image/jpeg", buffer: readFileSync(examples.generated) },
        { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture ".repeat(40)) },
    ]);
    await expect(page.getByText("2 of 2 done")).toBeVisible({ timeout: 240_000 });
    await look();
    await page.locator("a.file").first().click();
    await expect(page.locator(".sheet img.over")).toBeVisible();
    await page.locator("details").evaluateAll((all) => all.forEach((d) => d.setAttribute("open", "")));
    await look();
    await page.getByRole("link", { name: "Compare with another" }).click();
    await expect(page.locator("tbody tr").first()).toBeVisible();
    await look();
    await page.getByLabel("Pick authentic.jpg to compare").first().check();
    await page.getByRole("button", { name: "Compare the two" }).click();
    await expect(page.locator("img.over").nth(1)).toBeVisible();
    await look();
    await page.getByRole("link", { name: "Keys" }).click();
    await expect(page.getByRole("button", { name: "Make the key" })).toBeVisible();
    await look();
    await page.goto(`${service.url}/#/job/none`);
    await expect(page.getByRole("alert")).toBeVisible();
    await look();
}

for (const colorScheme of ["light", "dark"] as const) {
    test(`axe finds nothing serious in ${colorScheme}`, async ({ page, service }) => {
        test.setTimeout(360_000);
        await page.emulateMedia({ colorScheme });
        await everyView(page, service, () => accessible(page));
    });
}

test("axe finds nothing serious in a video, a key form and pages without a script", async ({ page, service }) => {
    test.setTimeout(360_000);
    await scan(page, service, film());
    await expect(page.locator("video")).toBeVisible();
    await accessible(page);
    await page.goto(`${service.url}/docs`);
    await accessible(page);
    const [closed] = await Service.start({}, [["boss", "--scope", "admin"]]);
    try {
        await page.goto(closed.url);
        await expect(page.getByLabel("Key", { exact: true })).toBeVisible();
        await accessible(page);
    } finally {
        await closed.stop();
    }
});

test("nothing is wider than a phone", async ({ page, service }) => {
    test.setTimeout(360_000);
    await page.setViewportSize({ width: 360, height: 740 });
    const fits = async () => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(wide).toBe(0);
        // Fingers need room: what is pressed alone is at least 24 pixels high (WCAG 2.2, 2.5.8).
        const heights = await page.locator("main button:visible, nav a:visible").evaluateAll((all) => all.map((e) => e.getBoundingClientRect().height));
        for (const height of heights) expect(height).toBeGreaterThanOrEqual(24);
    };
    await everyView(page, service, fits);
    await scan(page, service, film());
    await fits();
});
