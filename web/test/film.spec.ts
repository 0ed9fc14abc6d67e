// Videos: progress, the curve, the scrubber, the player.
import { expect, film, open, reportOf, test } from "./service.ts";

interface Record {
    duration_s: number;
    frames: { probability: number | null }[];
    segments: { start_s: number }[];
    verdict: string;
}

test("a video is followed over its time", async ({ page, service }) => {
    test.setTimeout(360_000);
    await open(page, service);
    await page.locator("[data-input=files]").setInputFiles(film());
    await expect(page.locator("progress")).toBeVisible();
    await expect(page.locator(".verdict")).toBeVisible({ timeout: 240_000 });
    const record = await service.json<Record>(`/v1/reports/${await reportOf(page, service)}`);
    await expect(page.locator(".word")).toHaveAttribute("data-verdict", record.verdict);
    const scored = record.frames.filter((f) => f.probability !== null);
    expect(scored.length).toBeGreaterThan(5);
    await expect(page.locator(".plot .dot")).toHaveCount(scored.length);
    await expect(page.locator(".film tbody tr")).toHaveCount(record.segments.length);

    const scrub = page.getByLabel("Position in the video");
    await scrub.focus();
    for (let i = 0; i < 10; i += 1) await page.keyboard.press("ArrowRight");
    await expect(scrub).toHaveValue("1");
    await expect(page.getByText("0:01.0 of", { exact: false }).first()).toBeVisible();
    const video = page.locator("video");
    await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThan(0);
    await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeCloseTo(1, 1);
    // A click on the curve goes there, too.
    const box = (await page.locator(".plot").boundingBox())!;
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    const middle = record.duration_s / 2;
    await expect.poll(async () => Number(await scrub.inputValue())).toBeCloseTo(middle, 0);
    await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeCloseTo(middle, 0);

    // The service keeps the file: it can be played in another tab, too.
    const other = await page.context().newPage();
    await other.goto(page.url());
    await expect(other.locator("video")).toBeVisible();
    await expect.poll(() => other.locator("video").evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThan(0);
    await other.close();

    await page.getByRole("link", { name: "History" }).click();
    await page.getByLabel("Kind").selectOption("video");
    await expect(page.locator("tbody tr")).toHaveCount(1);
});
