// Small pieces that views share.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Refused, key, load, reason } from "../api.ts";
import { t } from "../messages/index.ts";
import type { Verdict } from "../record.ts";
import { useStore } from "../store.ts";
import * as words from "../words.ts";

/** The heading of a view. It takes the focus when the view is opened, and names the document. */
export function Title({ children, text }: { children?: ComponentChildren; text: string }) {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = `${text} – ${t("app.name")}`;
    }, [text]);
    useLayoutEffect(() => {
        if (document.body.dataset.moved) heading.current?.focus({ preventScroll: true });
        document.body.dataset.moved = "yes";
    }, []);
    return (
        <h1 ref={heading} tabIndex={-1}>
            {children ?? text}
        </h1>
    );
}

/** An error in words. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
    const text = error instanceof Refused ? reason(error.problem) : String(error);
    return (
        <div class="notice bad" role="alert">
            <p>
                <strong>{t("error.title")}</strong> {text}
            </p>
            {retry && (
                <button type="button" onClick={retry}>
                    {t("app.reload")}
                </button>
            )}
        </div>
    );
}

export function Loading() {
    return (
        <p class="loading" role="status">
            <span class="spinner" aria-hidden="true" /> {t("app.loading")}
        </p>
    );
}

/** What an asynchronous call gives: nothing yet, a value, or an error. */
export type Answer<T> = { value?: T; error?: unknown };

/** Calls again whenever something of `on` changes. */
export function useAnswer<T>(call: (signal: AbortSignal) => Promise<T>, on: readonly unknown[]): [Answer<T>, () => void] {
    const [answer, set] = useState<Answer<T>>({});
    const [turn, again] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        set({});
        call(stop.signal).then(
            (value) => !stop.signal.aborted && set({ value }),
            (error: unknown) => !stop.signal.aborted && set({ error }),
        );
        return () => stop.abort();
    }, [...on, turn]);
    return [answer, () => again((n) => n + 1)];
}

/** An address that an element can load. One that takes a key is loaded first, since elements cannot carry it. */
export function useSource(path: string | null): Answer<string> {
    const own = useStore(key);
    const [source, set] = useState<Answer<string>>({});
    useEffect(() => {
        if (path === null) return set({});
        if (own === null) return set({ value: path });
        const stop = new AbortController();
        let address = "";
        set({});
        load(path, stop.signal).then(
            (blob) => {
                if (stop.signal.aborted) return;
                address = URL.createObjectURL(blob);
                set({ value: address });
            },
            (error: unknown) => !stop.signal.aborted && set({ error }),
        );
        return () => {
            stop.abort();
            if (address) URL.revokeObjectURL(address);
        };
    }, [path, own]);
    return source;
}

/** The verdict as a word with a sign that is not colour alone; none of the signs is a tick. */
export function Chip({ verdict }: { verdict: Verdict | null }) {
    return (
        <span class={`chip ${verdict ?? "error"}`}>
            <Sign verdict={verdict} />
            {words.verdict(verdict)}
        </span>
    );
}

export function Sign({ verdict }: { verdict: Verdict | null }) {
    const shapes = {
        generated: <path d="M8 1 15 8 8 15 1 8Z" />,
        manipulated: <path d="M8 1 15 8 8 15Z M8 2.8 2.8 8 8 13.2Z" fill-rule="evenodd" />,
        uncertain: (
            <path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 1.6a5.4 5.4 0 1 0 0 10.8A5.4 5.4 0 0 0 8 2.6ZM7.2 11h1.6v1.5H7.2Zm-2-4.6C5.3 4.8 6.4 3.9 8 3.9s2.7.9 2.7 2.3c0 1.9-1.9 1.9-1.9 3.6H7.2c0-2.5 1.9-2.5 1.9-3.6 0-.5-.4-.9-1.1-.9s-1.2.4-1.3 1.1Z" />
        ),
        no_evidence: (
            <path
                d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 1.6a5.4 5.4 0 1 0 0 10.8A5.4 5.4 0 0 0 8 2.6ZM4.8 7.2h6.4v1.6H4.8Z"
            />
        ),
        none: <path d="M3.4 2 8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4Z" />,
    };
    return (
        <svg class="sign" viewBox="0 0 16 16" aria-hidden="true">
            {shapes[verdict ?? "none"]}
        </svg>
    );
}

/** Asks before something is done that cannot be undone. */
export function Confirm(props: { title: string; about: string; yes: string; done: () => void; close: () => void }) {
    const dialog = useRef<HTMLDialogElement>(null);
    const name = useId();
    // Ahead of the next key, which may be Escape.
    useLayoutEffect(() => dialog.current?.showModal(), []);
    return (
        <dialog ref={dialog} aria-labelledby={name} onClose={props.close}>
            <h2 id={name}>{props.title}</h2>
            <p>{props.about}</p>
            <div class="row end">
                <button type="button" onClick={() => dialog.current?.close()}>
                    {t("dialog.cancel")}
                </button>
                <button
                    type="button"
                    class="danger"
                    onClick={() => {
                        props.done();
                        dialog.current?.close();
                    }}
                >
                    {props.yes}
                </button>
            </div>
        </dialog>
    );
}

export function Chevron() {
    return (
        <svg class="chevron" viewBox="0 0 16 16" aria-hidden="true">
            <path d="m6 3 5 5-5 5" />
        </svg>
    );
}
