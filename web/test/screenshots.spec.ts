// Pictures of the page, to be looked at: `SCREENSHOTS=folder npm test -- screenshots`.
import { join } from "node:path";
import { examples, expect, film, open, scan, test } from "./service.ts";

const folder = process.env.SCREENSHOTS ?? "screenshots";
const LOOKS = [
    ["light", "light", 1280, 900],
    ["dark", "dark", 1280, 900],
    ["phone", "light", 390, 844],
    ["phone-dark", "dark", 390, 844],
] as const;

test("screenshots", async ({ page, service }) => {
    test.setTimeout(900_000);
    const take = async (view: string) => {
        for (const [name, colorScheme, width, height] of LOOKS) {
            await page.emulateMedia({ colorScheme });
            await page.setViewportSize({ width, height });
            await page.waitForTimeout(300);
            await page.screenshot({ path: join(folder, `${name}-${view}.png`), fullPage: true });
        }
    };
    await open(page, service);
    await take("scan");
    await page.locator("[data-input=files]").setInputFiles([examples.generated, examples.authentic, examples.declared]);
    await expect(page.locator("a.file")).toHaveCount(3, { timeout: 240_000 });
    await take("files");
    await page.locator("a.file").first().click();
    await expect(page.locator("img.over")).toBeVisible();
    await take("report");
    await page.getByRole("tab", { name: "ELA" }).click();
    await expect(page.locator("img.over")).toHaveAttribute("data-layer", "ela");
    await page.getByRole("button", { name: "Native pixels" }).click();
    await take("ela");
    await page.getByRole("tab", { name: "JPEG ghost" }).click();
    await page.waitForTimeout(500);
    await take("ghost");
    await page.goBack();
    await page.locator("a.file").nth(2).click();
    await expect(page.locator("img.over")).toBeVisible();
    await page.locator("details").evaluateAll((all) => all.forEach((d) => d.setAttribute("open", "")));
    await take("declared");
    await scan(page, service, film());
    await expect(page.locator("video")).toBeVisible();
    await page.getByLabel("Position in the video").fill("2");
    await take("video");
    await page.getByRole("link", { name: "History" }).click();
    await expect(page.locator("tbody tr").first()).toBeVisible();
    await page.getByRole("checkbox").nth(1).check();
    await page.getByRole("checkbox").nth(2).check();
    await take("history");
    await page.getByRole("button", { name: "Compare the two" }).click();
    await expect(page.locator("img.over").nth(1)).toBeVisible();
    await take("compare");
    await page.getByRole("link", { name: "Keys" }).click();
    await expect(page.getByRole("button", { name: "Make the key" })).toBeVisible();
    await take("keys");
});
