// Pictures of the page, to be looked at: `SCREENSHOTS=folder npm test -- screenshots`.
import { join } from "node:path";
import { examples, expect, film, open, scan, test } from "./service.ts";
import type { Page } from "@playwright/test";

const folder = process.env.SCREENSHOTS ?? "screenshots";

async function take(page: Page, name: string): Promise<void> {
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

for (const [name, colorScheme, width, height] of [
    ["light", "light", 1280, 900],
    ["dark", "dark", 1280, 900],
    ["phone", "light", 390, 844],
    ["phone-dark", "dark", 390, 844],
] as const) {
    test(`screenshots, ${name}`, async ({ page, service }) => {
        test.setTimeout(240_000);
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        await open(page, service);
        await take(page, `${name}-scan`);
        await page.locator("[data-input=files]").setInputFiles([examples.generated, examples.authentic, examples.declared]);
        await expect(page.locator("a.file")).toHaveCount(3, { timeout: 60_000 });
        await take(page, `${name}-files`);
        await scan(page, service, examples.generated);
        await expect(page.locator("img.over")).toBeVisible();
        await take(page, `${name}-report`);
        await page.getByRole("tab", { name: "JPEG ghost" }).click();
        await expect(page.locator("img.over")).toHaveAttribute("data-layer", "ghost");
        await page.getByRole("button", { name: "Native pixels" }).click();
        await take(page, `${name}-ghost`);
        await scan(page, service, examples.declared);
        for (const closed of await page.locator("details:not([open]) > summary").all()) await closed.click();
        await take(page, `${name}-declared`);
        await scan(page, service, film());
        await expect(page.locator("video")).toBeVisible();
        await page.getByLabel("Position in the video").fill("2");
        await take(page, `${name}-video`);
        await page.getByRole("link", { name: "History" }).click();
        await expect(page.locator("tbody tr").first()).toBeVisible();
        await page.getByRole("checkbox").nth(1).check();
        await page.getByRole("checkbox").nth(2).check();
        await take(page, `${name}-history`);
        await page.getByRole("button", { name: "Compare the two" }).click();
        await expect(page.locator("img.over").nth(1)).toBeVisible();
        await take(page, `${name}-compare`);
        await page.getByRole("link", { name: "Keys" }).click();
        await expect(page.getByRole("button", { name: "Make the key" })).toBeVisible();
        await take(page, `${name}-keys`);
    });
}
