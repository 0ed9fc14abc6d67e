// From a file to its verdict: words, pictures, keys.
import type { FileChooser } from "@playwright/test";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examples, expect, open, reportOf, scan, test } from "./service.ts";

interface Scan {
    verdict: string;
    probability: number;
    media: { width: number; height: number };
}

test("a picture gets its verdict, in the words of the report", async ({ page, service }) => {
    for (const path of [examples.generated, examples.authentic, examples.declared]) {
        await scan(page, service, path);
        const report = await reportOf(page, service);
        const record = await service.json<Scan>(`/v1/reports/${report}`);
        // Nothing is said that the record does not say.
        const word = page.locator(".word");
        await expect(word).toHaveAttribute("data-verdict", record.verdict);
        const html = await (await fetch(`${service.url}/v1/reports/${report}?format=html`)).text();
        // Its styles stand in the report itself, which a page of its own allows.
        const other = await page.context().newPage();
        await other.setContent(html);
        const said = await other.evaluate(() => {
            const article = document.querySelector("article");
            const texts = (all: string) => [...(article?.querySelectorAll(all) ?? [])].map((e) => e.textContent?.trim() ?? "");
            return {
                verdict: article?.querySelector("h2")?.textContent ?? "",
                sentences: texts("article > p:not(.path), article > ul > li, aside li"),
                headings: texts("article > h3, aside h3"),
            };
        });
        await other.close();
        await expect(word).toHaveText(said.verdict);
        expect(said.sentences.length).toBeGreaterThan(5);
        expect(said.headings.length).toBeGreaterThan(2);
        const shown = (await page.locator("main").innerText()).replace(/\s+/g, "");
        const all = await page.locator("main").evaluate((main) => (main.textContent ?? "").replace(/\s+/g, ""));
        for (const sentence of [...said.sentences, ...said.headings]) {
            expect(shown + all, sentence).toContain(sentence.replace(/\s+/g, ""));
        }
        await expect(page.locator(".verdict aside li").first()).toBeVisible();
    }
    // The last one declares that it was generated. That stands beside the verdict and is not the verdict.
    await expect(page.locator("#provenance")).toBeVisible();
    await expect(page.getByText("Declared: made by an algorithm")).toBeVisible();
    await expect(page.locator(".word")).not.toHaveText("Looks generated");
});

test("the heat map lies over the picture, and every layer can be seen at native pixels", async ({ page, service }) => {
    await scan(page, service, examples.generated);
    const over = page.locator("img.over");
    await expect(over).toHaveAttribute("data-layer", "map");
    await expect(over).toHaveCSS("opacity", "0.5");
    const slider = page.getByLabel("Opacity of the layer");
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await expect(over).toHaveCSS("opacity", "0.55");
    await slider.fill("0");
    await expect(over).toHaveCSS("opacity", "0");

    for (const [name, layer] of [
        ["Spectrum", "spectrum"],
        ["NPR", "npr"],
        ["ELA", "ela"],
        ["Noise", "noise"],
        ["JPEG ghost", "ghost"],
        ["Heat map", "map"],
    ] as const) {
        await page.getByRole("tab", { name }).click();
        await expect(over).toHaveAttribute("data-layer", layer);
        await expect.poll(() => over.evaluate((i: HTMLImageElement) => i.naturalWidth)).toBeGreaterThan(0);
    }

    const { media } = await service.json<Scan>(`/v1/reports/${await reportOf(page, service)}`);
    const sheet = page.locator(".sheet");
    await page.getByRole("button", { name: "Native pixels" }).click();
    await expect.poll(async () => (await sheet.boundingBox())?.width).toBe(media.width);
    // What is shown is the file itself, not a copy that was made smaller.
    await expect(page.locator(".sheet img").first()).toHaveAttribute("data-original", "yes");
    const stage = page.locator(".stage");
    await stage.focus();
    await page.keyboard.press("+");
    await expect.poll(async () => (await sheet.boundingBox())?.width).toBe(2 * media.width);
    const before = await stage.evaluate((e) => e.scrollLeft);
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => stage.evaluate((e) => e.scrollLeft)).toBeGreaterThan(before);
    await page.keyboard.press("0");
    await expect.poll(async () => (await sheet.boundingBox())!.height <= (await stage.boundingBox())!.height).toBe(true);
});

test("several files, dropped at once, are listed with their verdicts", async ({ page, service }) => {
    await open(page, service);
    const files = [examples.generated, examples.authentic].map((path) => readFileSync(path).toString("base64"));
    const data = await page.evaluateHandle((files) => {
        const data = new DataTransfer();
        files.forEach((text, i) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            data.items.add(new File([bytes], `dropped-${i}.jpg`, { type: "image/jpeg" }));
        });
        return data;
    }, files);
    await page.dispatchEvent("body", "dragover", { dataTransfer: data });
    await expect(page.locator(".drop")).toHaveClass(/over/);
    await page.dispatchEvent("body", "drop", { dataTransfer: data });
    await expect(page.locator("a.file")).toHaveCount(2, { timeout: 240_000 });
    await expect(page.locator(".files .chip")).toHaveCount(2);
    await expect(page.getByText("2 of 2 done")).toBeVisible();
    await page.getByRole("link", { name: "Compare the first two" }).click();
    await expect(page.locator(".pair .side")).toHaveCount(2);
});

test("a picture is pasted", async ({ page, service }) => {
    await open(page, service);
    await page.evaluate((text) => {
        const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
        dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
    }, readFileSync(examples.declared).toString("base64"));
    await expect(page.locator("h1")).toHaveText("pasted.png", { timeout: 240_000 });
});

test("of a folder the pictures are taken", async ({ page, service }) => {
    const folder = mkdtempSync(join(tmpdir(), "realscope-web-folder-"));
    writeFileSync(join(folder, "a.jpg"), readFileSync(examples.authentic));
    writeFileSync(join(folder, "b.png"), readFileSync(examples.declared));
    writeFileSync(join(folder, "notes.txt"), "no picture");
    await open(page, service);
    await page.locator("[data-input=folder]").setInputFiles(folder);
    await expect(page.getByText("1 file of the folder is neither a picture nor a video and was passed over.")).toBeVisible();
    await expect(page.locator("a.file")).toHaveCount(2, { timeout: 240_000 });
});

test("a report is read in every form", async ({ page, service }) => {
    await scan(page, service, examples.generated);
    for (const [form, name, has] of [
        ["json", "realscope-generated.json", '"schema_version":2'],
        ["html", "realscope-generated.html", "<!doctype html>"],
        ["text", "realscope-generated.txt", "generated.jpg"],
    ] as const) {
        const waiting = page.waitForEvent("download");
        await page.locator(`[data-form=${form}]`).click();
        const download = await waiting;
        expect(download.suggestedFilename()).toBe(name);
        expect(readFileSync(await download.path(), "utf8")).toContain(has);
    }
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "The file itself" }).click();
    expect(readFileSync(await (await waiting).path())).toEqual(readFileSync(examples.generated));
});

test("keys alone lead to a verdict", async ({ page, service }) => {
    // Ahead of the key: a busy browser takes a while until it hands choosers over.
    const choosing = new Promise<FileChooser>((found) => page.once("filechooser", found));
    await open(page, service);
    await page.keyboard.press("Tab");
    await expect(page.locator(".skip")).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(page.locator("main")).toBeFocused();
    await page.keyboard.press("Tab");
    await expect(page.getByRole("button", { name: "Choose files" })).toBeFocused();
    await page.keyboard.press("Enter");
    await (await choosing).setFiles(examples.generated);
    // The report is announced, and its heading has the focus.
    await expect(page.locator("h1")).toHaveText("generated.jpg", { timeout: 240_000 });
    await expect(page.locator("h1")).toBeFocused();
    await expect(page.locator("[role=status].hidden")).toContainText("generated.jpg: ");
    await page.keyboard.press("Tab");
    await expect(page.getByRole("tab", { name: "Heat map" })).toBeFocused();
    await page.keyboard.press("ArrowRight");
    await expect(page.getByRole("tab", { name: "Spectrum" })).toBeFocused();
    await expect(page.getByRole("tab", { name: "Spectrum" })).toHaveAttribute("aria-selected", "true");
    await page.keyboard.press("Tab");
    await expect(page.locator(".stage")).toBeFocused();
});

test("without a script the form still gives a verdict", async ({ browser, service }) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(service.url);
    await page.locator("input[type=file]").setInputFiles(examples.generated);
    await page.getByRole("button", { name: "Scan" }).click();
    await expect(page.getByRole("heading", { name: "What this does not mean" })).toBeVisible({ timeout: 240_000 });
    await expect(page.locator("figure img").first()).toBeVisible();
    await context.close();
});
