// Tests of the page in a real browser, on the real program: `REALSCOPE_BIN=... npm test`.
import { defineConfig } from "@playwright/test";

export default defineConfig({
    testDir: "test",
    testIgnore: process.env.SCREENSHOTS ? [] : ["screenshots.spec.ts"],
    fullyParallel: false,
    // Scanning is what takes the processors, and what one test has scanned is there for the next.
    workers: 1,
    retries: 0,
    forbidOnly: true,
    timeout: 300_000,
    expect: { timeout: 30_000 },
    reporter: "list",
    use: {
        browserName: "chromium",
        viewport: { width: 1280, height: 900 },
        locale: "en-GB",
        actionTimeout: 60_000,
        launchOptions: {
            executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
            // As root, which containers often are, the sandbox does not start.
            args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
        },
    },
});
