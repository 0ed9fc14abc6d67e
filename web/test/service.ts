// A service that runs for tests, and what tests share.
import { test as base, expect } from "@playwright/test";
import type { Page } from "@playwright/test";
import axe from "axe-core";
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const program = process.env.REALSCOPE_BIN ?? join(root, "target/debug/realscope");

export const examples = {
    generated: join(root, "examples/generated.jpg"),
    authentic: join(root, "examples/authentic.jpg"),
    other: join(root, "examples/authentic-2.jpg"),
    declared: join(root, "crates/cli/tests/pictures/webui.png"),
};

export class Service {
    readonly folder: string;
    readonly url: string;
    readonly #child: ChildProcess;

    private constructor(folder: string, url: string, child: ChildProcess) {
        this.folder = folder;
        this.url = url;
        this.#child = child;
    }

    /** Starts the program on a free port and an empty folder, and waits until it takes work. */
    static async start(settings: Readonly<Record<string, string>> = {}, keys: readonly string[][] = []): Promise<[Service, string[]]> {
        const folder = mkdtempSync(join(tmpdir(), "realscope-web-"));
        const data = ["--data-dir", join(folder, "data")];
        const env: NodeJS.ProcessEnv = { ...process.env, REALSCOPE_CONFIG: "/dev/null", REALSCOPE_SERVE_RATE: "0", REALSCOPE_SERVE_LOG: "error" };
        // A machine that does much else scans slowly.
        env.REALSCOPE_SERVE_DEADLINE = "600";
        for (const [name, value] of Object.entries(settings)) env[`REALSCOPE_SERVE_${name.toUpperCase()}`] = value;
        const secrets = keys.map((key) =>
            execFileSync(program, ["serve", "keys", "add", ...key, ...data], { env, encoding: "utf8", stdio: "pipe" }).trim(),
        );
        const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", ...data], { env, stdio: ["ignore", "pipe", "inherit"] });
        const line = await new Promise<string>((found, failed) => {
            let text = "";
            child.stdout.on("data", (part: Buffer) => {
                text += part.toString();
                if (text.includes("\n")) found(text);
            });
            child.on("exit", (code) => failed(new Error(`the service ended with ${code}`)));
            child.on("error", failed);
        });
        const url = /http:\/\/\S+/.exec(line)?.[0];
        if (!url) throw new Error(`no address: ${line}`);
        while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise((later) => setTimeout(later, 100));
        return [new Service(folder, url, child), secrets];
    }

    async stop(): Promise<void> {
        const ended = new Promise((end) => this.#child.on("exit", end));
        this.#child.kill("SIGKILL");
        await ended;
        rmSync(this.folder, { recursive: true, force: true });
    }

    async json<T = Record<string, unknown>>(path: string): Promise<T> {
        return (await (await fetch(this.url + path)).json()) as T;
    }
}

interface Fixtures {
    /** What the browser complained about: violations of the policy, errors of scripts, broken requests. */
    complaints: string[];
}

/** An open service for all tests of a worker. */
export const test = base.extend<Fixtures, { service: Service }>({
    service: [
        async ({}, use) => {
            const [service] = await Service.start();
            await use(service);
            await service.stop();
        },
        { scope: "worker" },
    ],
    complaints: [
        async ({ page }, use) => {
            const complaints: string[] = [];
            page.on("pageerror", (error) => complaints.push(String(error)));
            page.on("console", (message) => {
                if (message.type() !== "error") return;
                // An answer that is no success is a matter of the test.
                if (message.text().startsWith("Failed to load resource")) return;
                complaints.push(message.text());
            });
            await use(complaints);
            expect(complaints).toEqual([]);
        },
        { auto: true },
    ],
});

export { expect };

/** A video of two scenes, made once. */
export function film(): string {
    const path = join(tmpdir(), `realscope-web-film-${process.pid}.mp4`);
    if (!existsSync(path)) {
        execFileSync("ffmpeg", [
            ...["-hide_banner", "-loglevel", "error", "-y"],
            ...["-f", "lavfi", "-i", "mandelbrot=size=320x240:rate=12"],
            ...["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=12"],
            ...["-filter_complex", "[0:v]trim=duration=3,setpts=PTS-STARTPTS[a];[1:v]trim=duration=3,setpts=PTS-STARTPTS[b];[a][b]concat=n=2:v=1:a=0"],
            ...["-c:v", "libx264", "-pix_fmt", "yuv420p", path],
        ]);
    }
    return path;
}

/** Opens the page and waits until the script has drawn it. */
export async function open(page: Page, service: Service, hash = ""): Promise<void> {
    await page.goto(`${service.url}/${hash}`);
    await expect(page.locator("nav")).toBeVisible();
}

/** Sends a file and waits for its report. */
export async function scan(page: Page, service: Service, path: string): Promise<void> {
    await open(page, service);
    await page.locator("[data-input=files]").setInputFiles(path);
    await expect(page.locator(".verdict")).toBeVisible({ timeout: 240_000 });
}

/** The report that is shown. */
export async function reportOf(page: Page, service: Service): Promise<string> {
    const job = page.url().split("/").at(-1) ?? "";
    return (await service.json<{ report: string }>(`/v1/jobs/${job}`)).report;
}

const source = axe.source;

/** The findings of axe that are serious or critical; there shall be none. */
export async function accessible(page: Page): Promise<void> {
    // The page allows no script of others; the checker is handed to the browser by its own door.
    await page.evaluate(source);
    const found = await page.evaluate(async () => {
        const checker = (window as unknown as { axe: typeof axe }).axe;
        const results = await checker.run(document, { resultTypes: ["violations"] });
        return results.violations.map((v) => ({
            impact: v.impact ?? "",
            id: v.id,
            nodes: v.nodes.map((n) => `${n.html.slice(0, 160)} ${n.failureSummary ?? ""}`),
        }));
    });
    expect(found.filter((v) => v.impact === "serious" || v.impact === "critical")).toEqual([]);
}

export function text(path: string): string {
    return readFileSync(path, "utf8");
}
