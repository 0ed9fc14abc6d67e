// What cannot be scanned, and what is not there.
import { readFileSync } from "node:fs";
import { Service, examples, expect, open, test } from "./service.ts";

test("files that cannot be judged say why", async ({ page, service }) => {
    await open(page, service);
    const jpeg = readFileSync(examples.authentic);
    const holes = Buffer.from(jpeg);
    holes.fill(0xff, 200, 4000);
    await page.locator("[data-input=files]").setInputFiles([
        { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("This is no picture.\n".repeat(20)) },
        { name: "corrupt.jpg", mimeType: "image/jpeg", buffer: holes },
        { name: "empty.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(0) },
    ]);
    const item = (name: string) => page.locator(".files li", { hasText: name });
    await expect(item("notes.txt")).toContainText("The file is neither a picture nor a video.", { timeout: 240_000 });
    await expect(item("corrupt.jpg")).toContainText("The file is damaged.", { timeout: 240_000 });
    await expect(item("empty.jpg")).toContainText("The file is empty.");
    await expect(page.locator(".files .chip")).toHaveCount(0);
    await expect(item("notes.txt").getByRole("button", { name: "Try again with notes.txt" })).toBeVisible();

    await page.getByRole("link", { name: "History" }).click();
    await page.getByLabel("State").selectOption("failed");
    await page.getByRole("link", { name: "corrupt.jpg" }).first().click();
    await expect(page.getByRole("alert")).toContainText("The file is damaged.");
});

test("a truncated picture is scanned where that is wanted", async ({ page, service }) => {
    const half = readFileSync(examples.authentic);
    const file = { name: "half.jpg", mimeType: "image/jpeg", buffer: half.subarray(0, Math.round(half.length * 0.7)) };
    await open(page, service);
    await page.locator("[data-input=files]").setInputFiles(file);
    await expect(page.locator(".files li")).toContainText("The file is not whole.", { timeout: 240_000 });
    await page.getByText("Options").click();
    await page.getByLabel("Scan what there is of a broken JPEG").check();
    await page.locator("[data-input=files]").setInputFiles(file);
    await expect(page.locator(".verdict")).toBeVisible({ timeout: 240_000 });
});

test("a file that is too large is refused in words", async ({ page }) => {
    const [small] = await Service.start({ max_bytes: "20000", max_video_bytes: "40000" });
    try {
        await open(page, small);
        await expect(page.getByText("Pictures up to 19.5 KiB, videos up to 39.1 KiB.")).toBeVisible();
        const jpeg = readFileSync(examples.generated);
        await page.locator("[data-input=files]").setInputFiles([
            { name: "large.jpg", mimeType: "image/jpeg", buffer: jpeg },
            // The browser knows of no type; the service finds out.
            { name: "large.bin", mimeType: "application/octet-stream", buffer: jpeg.subarray(0, 30_000) },
        ]);
        for (const name of ["large.jpg", "large.bin"]) {
            await expect(page.locator(".files li", { hasText: name })).toContainText("The file is too large.");
        }
    } finally {
        await small.stop();
    }
});

test("a service that is gone is told", async ({ page }) => {
    const [brief] = await Service.start();
    await open(page, brief);
    await brief.stop();
    await page.locator("[data-input=files]").setInputFiles(examples.declared);
    await expect(page.locator(".files li")).toContainText("The service did not answer.");
    await page.getByRole("link", { name: "History" }).click();
    await expect(page.getByRole("alert")).toContainText("The service did not answer.");
});

test("addresses that lead nowhere are told", async ({ page, service }) => {
    await open(page, service, "#/job/none");
    await expect(page.getByRole("alert")).toContainText("There is no such thing");
    await page.goto(`${service.url}/#/nowhere`);
    await expect(page.locator("h1")).toHaveText("There is no such page.");
    await page.goto(`${service.url}/#/compare`);
    await expect(page.getByRole("link", { name: "Choose two scans in the history." })).toBeVisible();
});
