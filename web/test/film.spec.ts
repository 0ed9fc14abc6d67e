// Videos: progress, the curve, the scrubber, the player, faces.
import type { Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import type { Job, Scan, Track } from "../src/record.ts";
import { accessible, expect, film, open, reportOf, test } from "./service.ts";

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

/** Answers for a job and its report that the service does not have: a video with these faces. */
async function withFaces(page: Page, tracks: readonly Track[]): Promise<void> {
    const sha256 = "0".repeat(64);
    const job: Job = {
        id: "faces",
        state: "succeeded",
        name: "faces.mp4",
        kind: "video",
        sha256,
        bytes: readFileSync(film()).length,
        created: "2026-01-01T00:00:00Z",
        finished: "2026-01-01T00:00:09Z",
        verdict: "manipulated",
        probability: 0.97,
        declared: "none",
        report: "faces",
        cached: false,
        error: null,
    };
    const scan: Scan = {
        tool: { name: "realscope", version: "0", engine: "rten" },
        path: job.name,
        sha256,
        media: { kind: "video", format: "mp4", width: 320, height: 240 },
        verdict: "manipulated",
        probability: 0.97,
        decision_threshold: 0.5,
        interval: null,
        stable: null,
        detectors: [],
        evidence: [],
        provenance: null,
        metadata: null,
        regions: [],
        duration_s: 6,
        segments: [],
        shots: [],
        frames: [{ index: 0, time_s: 0, probability: 0.1, verdict: "no_evidence" }],
        tracks,
        masks: null,
        operating_point: null,
        error: null,
    };
    await page.route("**/v1/jobs/faces", (route) => route.fulfill({ json: job }));
    await page.route("**/v1/reports/faces", (route) => route.fulfill({ json: scan }));
    await page.route("**/v1/reports/faces/media", (route) => route.fulfill({ path: film(), contentType: "video/mp4" }));
}

const track: Track = { id: 0, start_s: 0, end_s: 0, probability: null, verdict: "no_evidence", looks: 0, detector: "default", calibration_id: null, why: null, boxes: [] };
const box = { x: 40, y: 60, width: 60, height: 80, probability: null };

test("faces are listed and outlined over the player", async ({ page, service }) => {
    const why = "the mean of 4 looks lies above 0.90, and 4 of them would be accused alone";
    await withFaces(page, [
        { ...track, end_s: 2, probability: 0.12, looks: 2, boxes: [{ ...box, time_s: 0 }, { ...box, x: 100, time_s: 2 }] },
        { ...track, id: 1, start_s: 4, end_s: 5.5, probability: 0.97, verdict: "generated", looks: 4, why, boxes: [{ ...box, time_s: 4 }] },
        { ...track, id: 2, start_s: 4, end_s: 4.5, boxes: [{ ...box, x: 200, time_s: 4.5 }] },
    ]);
    await open(page, service, "#/job/faces");
    const faces = page.locator(".tracks li");
    await expect(faces).toHaveCount(2);
    for (const text of ["Face 2", "Looks generated", "Probability 97%", why]) await expect(faces.first()).toContainText(text);
    for (const text of ["Face 1", "No sign of generation", "Probability 12%"]) await expect(faces.last()).toContainText(text);
    await expect(page.locator(".tracks i.accused")).toHaveCount(1);
    await expect(faces.first().locator("i.accused")).toHaveCount(1);

    const outlines = page.locator(".outlines g");
    await expect(outlines).toHaveText(["1"]);
    await expect(page.locator(".outlines .accused")).toHaveCount(0);
    // The outline lies where the face is seen, whatever room there is beside the frame, and takes no clicks.
    const middle = async () => {
        const [player, line] = [(await page.locator("video").boundingBox())!, (await page.locator(".outlines .line").first().boundingBox())!];
        const scale = Math.min(player.width / 320, player.height / 240);
        const [left, top] = [player.x + (player.width - 320 * scale) / 2, player.y + (player.height - 240 * scale) / 2];
        const [x, y] = [line.x + line.width / 2, line.y + line.height / 2];
        const hit = await page.evaluate(([x, y]) => document.elementFromPoint(x, y)?.tagName, [x, y] as const);
        return { x: Math.round((x - left) / scale), y: Math.round((y - top) / scale), hit };
    };
    const seen = { x: 70, y: 100, hit: "VIDEO" };
    await expect.poll(middle).toEqual(seen);
    await page.setViewportSize({ width: 400, height: 900 });
    await expect.poll(middle).toEqual(seen);
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.getByRole("button", { name: "Face 2, 0:04.0 – 0:05.5" }).click();
    await expect.poll(() => page.locator("video").evaluate((v: HTMLVideoElement) => v.currentTime)).toBeCloseTo(4, 1);
    await expect(page.getByLabel("Position in the video")).toHaveValue("4");
    await expect(outlines).toHaveText(["2", "3"]);
    await expect(page.locator(".outlines .accused")).toHaveText("2");
    await accessible(page);
    // Between two looks nothing is known.
    await page.getByLabel("Position in the video").fill("1");
    await expect(outlines).toHaveCount(0);
    await page.getByLabel("Position in the video").fill("1.5");
    await expect(outlines).toHaveText(["1"]);
    await page.getByLabel("Show faces").uncheck();
    await expect(page.locator(".outlines")).toHaveCount(0);
    await page.getByLabel("Show faces").check();
    await expect(outlines).toHaveText(["1"]);
});

test("of many faces the first are listed", async ({ page, service }) => {
    await withFaces(page, Array.from({ length: 14 }, (_, id) => ({ ...track, id, probability: id / 20, looks: 1 })));
    await open(page, service, "#/job/faces");
    await expect(page.locator(".tracks li")).toHaveCount(12);
    await expect(page.locator(".tracks li").first()).toContainText("Face 14");
    await expect(page.getByText("2 more faces were scored.")).toBeVisible();
    await expect(page.locator("video")).toBeVisible();
    await expect(page.getByLabel("Show faces")).toHaveCount(0);
});
