// What was scanned before: searched, compared, corrected, forgotten.
import { examples, expect, open, scan, test } from "./service.ts";

test("scans are found again", async ({ page, service }) => {
    for (const path of [examples.generated, examples.authentic, examples.declared]) await scan(page, service, path);
    await page.getByRole("link", { name: "History" }).click();
    const rows = page.locator("tbody tr");
    await expect(rows.first()).toBeVisible();
    expect(await rows.count()).toBeGreaterThanOrEqual(3);
    await page.getByLabel("Search").fill("webui");
    await expect(rows.filter({ hasNotText: "webui.png" })).toHaveCount(0);
    await expect(rows.first()).toContainText("webui.png");
    await page.getByLabel("Search").fill("no such name");
    await expect(page.getByText("Nothing was found.")).toBeVisible();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await expect(rows.first()).toBeVisible();

    await page.getByLabel("Verdict").selectOption("no_evidence");
    const found = await service.json<{ jobs: unknown[] }>("/v1/jobs?verdict=no_evidence");
    await expect(rows).toHaveCount(found.jobs.length);
    await page.getByLabel("Verdict").selectOption("");
    await page.getByLabel("To", { exact: true }).fill("2020-01-01");
    await expect(rows).toHaveCount(0);
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByLabel("State").selectOption("failed");
    const failed = await service.json<{ jobs: unknown[] }>("/v1/jobs?state=failed");
    await expect(rows).toHaveCount(failed.jobs.length);
});

test("two scans are compared side by side", async ({ page, service }) => {
    await scan(page, service, examples.generated);
    await scan(page, service, examples.authentic);
    await page.getByRole("link", { name: "Compare with another" }).click();
    await expect(page.getByText("Pick one more.")).toBeVisible();
    await page.getByLabel("Pick generated.jpg to compare").first().check();
    await page.getByRole("button", { name: "Compare the two" }).click();
    await expect(page.locator(".pair h2")).toHaveText(["authentic.jpg", "generated.jpg"]);
    const layers = page.locator("img.over");
    await expect(layers).toHaveCount(2);
    await page.getByRole("tab", { name: "ELA" }).click();
    for (const i of [0, 1]) await expect(layers.nth(i)).toHaveAttribute("data-layer", "ela");
    // Moved together: the same zoom in both.
    const zoom = page.getByRole("button", { name: "Native pixels" });
    await zoom.first().click();
    await expect(zoom.nth(1)).toHaveAttribute("aria-pressed", "true");
    await page.getByLabel("Move both pictures together").uncheck();
    await page.getByRole("button", { name: "Fit" }).first().click();
    await expect(zoom.nth(1)).toHaveAttribute("aria-pressed", "true");
    const hashes = page.locator(".facts tr", { hasText: "SHA-256" }).locator("td");
    expect(await hashes.nth(0).innerText()).not.toBe(await hashes.nth(1).innerText());
});

test("a wrong verdict is told and taken back", async ({ page, service }) => {
    await scan(page, service, examples.other);
    await page.getByLabel("authentic", { exact: true }).check();
    await page.getByLabel("How do you know?").fill("I took it");
    await page.getByRole("button", { name: "Send" }).click();
    await expect(page.locator(".remark")).toContainText("It is authentic. I took it");
    const { feedback } = await service.json<{ feedback: { says: string; note: string; name: string }[] }>("/v1/feedback");
    expect(feedback.at(-1)).toMatchObject({ says: "authentic", note: "I took it", name: "authentic-2.jpg" });
    await page.getByRole("button", { name: "Take it back" }).click();
    await expect(page.locator(".remark")).toHaveCount(0);
    expect((await service.json<{ feedback: unknown[] }>("/v1/feedback")).feedback).toEqual([]);
});

test("a scan is forgotten once that was confirmed", async ({ page, service }) => {
    await scan(page, service, examples.other);
    const id = page.url().split("/").at(-1);
    const forget = page.getByRole("button", { name: "Forget this scan" });
    await forget.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect((await fetch(`${service.url}/v1/jobs/${id}`)).status).toBe(200);
    await forget.click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await forget.click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await expect(page.getByRole("heading", { name: "History" })).toBeVisible();
    expect((await fetch(`${service.url}/v1/jobs/${id}`)).status).toBe(404);
});

test("a report without pictures gets them when they are wanted", async ({ page, service }) => {
    const { readFileSync } = await import("node:fs");
    const answer = await fetch(`${service.url}/v1/scan?name=plain.jpg`, { method: "POST", body: readFileSync(examples.other) });
    const job = answer.headers.get("Realscope-Job");
    await open(page, service, `#/job/${job}`);
    await page.getByRole("button", { name: "Draw them now" }).click();
    await expect(page.locator("img.over")).toBeVisible({ timeout: 240_000 });
});
