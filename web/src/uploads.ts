// Files on their way: sent a few at a time, then followed to their verdict.
import { ask, authorization, key, offline, problemOf, Refused, reason, refused } from "./api.ts";
import { follow } from "./jobs.ts";
import { limits } from "./limits.ts";
import { bytes, t } from "./messages/index.ts";
import type { Frame, Job, Problem } from "./record.ts";
import { isFinal } from "./record.ts";
import { go, route } from "./route.ts";
import { say } from "./say.ts";
import { Store } from "./store.ts";
import * as words from "./words.ts";

export interface Options {
    maxFpr: string;
    truncated: boolean;
    part?: string;
}

export interface Upload {
    readonly id: number;
    readonly file: File;
    readonly options: Options;
    state: "waiting" | "sending" | "sent" | "ended" | "refused" | "cancelled";
    /** Share of the bytes that were sent, 0 to 1. */
    sent: number;
    job: Job | null;
    frames: readonly Frame[];
    problem: Problem | null;
    readonly stop: AbortController;
}

/** Files at once: a browser keeps six connections to a host, and following a job takes one. */
const AT_ONCE = 3;
/** Tries of a file that the service has no room for. */
const TRIES = 60;

export const uploads = new Store<readonly Upload[]>([]);

let next = 0;
let busy = 0;
let owner = key.value;

// Another key may belong to somebody else, whose list this is not.
key.listen(() => {
    if (owner !== null && owner !== key.value) {
        for (const upload of uploads.value) upload.stop.abort();
        uploads.set([]);
    }
    owner = key.value;
});

function change(upload: Upload, to: Partial<Upload>): void {
    Object.assign(upload, to);
    uploads.set([...uploads.value]);
}

/** Adds files; the new entries in order. */
export function add(files: readonly File[], options: Options): Upload[] {
    const added = files.map(
        (file): Upload => ({
            id: (next += 1),
            file,
            options,
            state: "waiting",
            sent: 0,
            job: null,
            frames: [],
            problem: null,
            stop: new AbortController(),
        }),
    );
    uploads.set([...uploads.value, ...added]);
    work();
    return added;
}

/** Opens the report of a file that came alone, once it is there and the list of files is still shown. */
export function openWhenDone(added: readonly Upload[]): void {
    const [only] = added;
    if (added.length !== 1 || !only) return;
    const stop = uploads.listen(() => {
        if (only.state === "waiting" || only.state === "sending" || only.state === "sent") return;
        stop();
        if (only.job?.report && route.value.view === "") go("job", only.job.id);
    });
}

export function again(upload: Upload, options: Options = upload.options): void {
    const at = uploads.value.indexOf(upload);
    const fresh: Upload = { ...upload, options, state: "waiting", sent: 0, job: null, frames: [], problem: null, stop: new AbortController() };
    uploads.set(uploads.value.map((u, i) => (i === at ? fresh : u)));
    work();
}

export function cancel(upload: Upload): void {
    upload.stop.abort();
    if (upload.job && !isFinal(upload.job.state)) {
        ask(`/v1/jobs/${upload.job.id}`, { method: "DELETE" }).catch(() => undefined);
    }
    change(upload, { state: "cancelled" });
}

/** Takes those that ended off the list. */
export function clear(): void {
    uploads.set(uploads.value.filter((u) => u.state === "waiting" || u.state === "sending" || u.state === "sent"));
}

function work(): void {
    while (busy < AT_ONCE) {
        const upload = uploads.value.find((u) => u.state === "waiting");
        if (!upload) return;
        busy += 1;
        change(upload, { state: "sending" });
        run(upload)
            .catch((e: unknown) => {
                if (upload.stop.signal.aborted) return;
                const problem = e instanceof Refused ? e.problem : { ...offline, detail: String(e) };
                change(upload, { state: "refused", problem });
                say(t("say.failed", { name: upload.file.name, reason: reason(problem) }));
            })
            .finally(() => {
                busy -= 1;
                work();
            });
    }
}

async function run(upload: Upload): Promise<void> {
    const first = await submitted(upload);
    change(upload, { state: "sent", job: first });
    const tell = {
        job: (job: Job) => change(upload, { job }),
        frame: (frame: Frame) => change(upload, { frames: [...upload.frames, frame] }),
    };
    const ended = isFinal(first.state) ? first : await follow(first.id, tell, upload.stop.signal);
    if (!ended) return;
    change(upload, { state: ended.state === "cancelled" ? "cancelled" : "ended", job: ended });
    const name = upload.file.name;
    if (ended.state === "succeeded") say(t("say.done", { name, verdict: words.verdict(ended.verdict) }));
    else if (ended.error) {
        say(t("say.failed", { name, reason: reason({ code: ended.error.code, detail: ended.error.message }) }));
    }
}

/** What no service has to be asked for. */
function tooLarge(file: File): Problem | null {
    const most = file.type.startsWith("image/") ? limits.picture : Math.max(limits.picture, limits.video);
    if (file.size <= most) return null;
    const sizes = { size: bytes(file.size), picture: bytes(limits.picture), video: bytes(limits.video) };
    return { title: "", status: 413, detail: t("error.large", sizes), code: "too_large", request_id: "" };
}

async function submitted(upload: Upload): Promise<Job> {
    const problem = tooLarge(upload.file);
    if (problem) throw new Refused(problem, null);
    for (let tries = 1; ; tries += 1) {
        try {
            return await put(upload);
        } catch (e) {
            const again = e instanceof Refused && (e.problem.status === 429 || e.problem.status === 503);
            if (!again || tries === TRIES || upload.stop.signal.aborted) throw e;
            await new Promise((resolve) => setTimeout(resolve, 1000 * (e.after ?? 1)));
        }
    }
}

/** Sends the file. `fetch` does not tell how far it is. */
function put(upload: Upload): Promise<Job> {
    const { file, options, stop } = upload;
    const query = new URLSearchParams({ name: file.name, draw: "true" });
    if (options.maxFpr) query.set("max_fpr", options.maxFpr);
    if (options.truncated) query.set("allow_truncated", "true");
    if (options.part) query.set("part", options.part);
    return new Promise((resolve, reject) => {
        const http = new XMLHttpRequest();
        http.open("POST", `/v1/scan?${query}`);
        const headers = {
            Accept: "application/json",
            "Content-Type": "application/octet-stream",
            Prefer: "respond-async",
            ...authorization(),
        };
        for (const [name, value] of Object.entries(headers)) http.setRequestHeader(name, value);
        http.upload.addEventListener("progress", (e) => change(upload, { sent: e.total > 0 ? e.loaded / e.total : 0 }));
        http.addEventListener("load", () => {
            if (http.status === 202) return resolve(JSON.parse(http.responseText) as Job);
            const problem = problemOf(http.status, http.responseText);
            if (http.status === 401) refused.set(problem);
            reject(new Refused(problem, Number(http.getResponseHeader("Retry-After")) || null));
        });
        http.addEventListener("error", () => {
            // A service that refuses a body closes the connection, and the browser may never see why.
            const large = file.size > limits.picture && !file.type.startsWith("video/");
            const sizes = { size: bytes(file.size), picture: bytes(limits.picture), video: bytes(limits.video) };
            const problem = { ...offline, status: 413, code: "too_large", detail: t("error.large", sizes) };
            reject(new Refused(large ? problem : offline, null));
        });
        http.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
        stop.signal.addEventListener("abort", () => http.abort());
        http.send(file);
    });
}
