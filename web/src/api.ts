// Requests to the service, with the key of this tab where there is one.
import { maybe, t } from "./messages/index.ts";
import type { Problem } from "./record.ts";
import { Store } from "./store.ts";

const KEY = "realscope-key";

/** The key of this tab. It lives in `sessionStorage` and in requests, nowhere else. */
export const key = new Store<string | null>(sessionStorage.getItem(KEY));

/** Whether the last answer said that a key is missing or not known. */
export const refused = new Store<Problem | null>(null);

export function setKey(text: string | null): void {
    if (text === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
    key.set(text);
    refused.set(null);
}

/** What the service refused, and why. */
export class Refused extends Error {
    readonly problem: Problem;
    /** Seconds after which to ask again. */
    readonly after: number | null;

    constructor(problem: Problem, after: number | null) {
        super(reason(problem));
        this.problem = problem;
        this.after = after;
    }
}

/** A problem in words: what its code means, and what the service said of this case. */
export function reason(problem: Pick<Problem, "code" | "detail">): string {
    const general = maybe(`error.code.${problem.code}`);
    const detail = problem.detail.charAt(0).toUpperCase() + problem.detail.slice(1);
    const sentence = /[.!?]$/.test(detail) ? detail : `${detail}.`;
    if (general === null) return sentence;
    return problem.code === "not_found" || problem.code === "no_key" ? general : `${general} ${sentence}`;
}

export function problemOf(status: number, text: string): Problem {
    try {
        const parsed = JSON.parse(text) as Partial<Problem>;
        if (typeof parsed.code === "string") return { title: "", detail: "", request_id: "", status, ...parsed } as Problem;
    } catch {
        // No answer of the service; a proxy may have spoken.
    }
    return { title: String(status), status, detail: `HTTP ${status}`, code: `http_${status}`, request_id: "" };
}

export const offline: Problem = { title: "", status: 0, detail: t("error.network"), code: "network", request_id: "" };

export function authorization(): Record<string, string> {
    return key.value === null ? {} : { Authorization: `Bearer ${key.value}` };
}

export async function request(path: string, options: RequestInit = {}): Promise<Response> {
    const headers = new Headers(options.headers);
    if (!headers.has("Accept")) headers.set("Accept", "application/json");
    for (const [name, value] of Object.entries(authorization())) headers.set(name, value);
    let answer: Response;
    try {
        answer = await fetch(path, { ...options, headers });
    } catch (e) {
        if (e instanceof DOMException && e.name === "AbortError") throw e;
        throw new Refused(offline, null);
    }
    if (answer.ok) return answer;
    const problem = problemOf(answer.status, await answer.text());
    if (answer.status === 401) refused.set(problem);
    const after = Number(answer.headers.get("Retry-After"));
    throw new Refused(problem, Number.isFinite(after) && after > 0 ? after : null);
}

export async function ask<T>(path: string, options: RequestInit = {}): Promise<T> {
    const answer = await request(path, options);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export function send<T>(path: string, body: unknown): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    return ask<T>(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export async function load(path: string, signal?: AbortSignal): Promise<Blob> {
    const answer = await request(path, { headers: { Accept: "*/*" }, ...(signal ? { signal } : {}) });
    return answer.blob();
}

/** Server-sent events. `EventSource` cannot carry a key. */
export async function* events(path: string, signal: AbortSignal): AsyncGenerator<{ name: string; data: string }> {
    const answer = await request(path, { headers: { Accept: "text/event-stream" }, signal });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) return;
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            const blocks = (rest + value).split("\n\n");
            rest = blocks.pop() ?? "";
            for (const block of blocks) {
                let [name, data] = ["message", ""];
                for (const line of block.split("\n")) {
                    if (line.startsWith("event:")) name = line.slice(6).trim();
                    else if (line.startsWith("data:")) data += line.slice(5).trim();
                }
                if (data) yield { name, data };
            }
        }
    } finally {
        reader.cancel().catch(() => undefined);
    }
}
