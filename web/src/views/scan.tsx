// Where files come in, and how far each of them is.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { reason } from "../api.ts";
import { chosenFolder, dropped, pasted } from "../files.ts";
import type { Gathered } from "../files.ts";
import { limits } from "../limits.ts";
import { bytes, count, t } from "../messages/index.ts";
import { Chevron, Chip, Title } from "../parts/basics.tsx";
import { link } from "../route.ts";
import { useStore } from "../store.ts";
import * as uploads from "../uploads.ts";
import type { Upload } from "../uploads.ts";
import * as words from "../words.ts";

const RATES = ["0.01", "0.001"];

export function ScanView() {
    const list = useStore(uploads.uploads);
    const [over, setOver] = useState(false);
    const [passed, setPassed] = useState(0);
    const [nothing, setNothing] = useState(false);
    const [rate, setRate] = useState("");
    const [truncated, setTruncated] = useState(false);
    const files = useRef<HTMLInputElement>(null);
    const folder = useRef<HTMLInputElement>(null);
    const id = useId();
    const take = (gathered: Gathered) => {
        setPassed(gathered.passed);
        setNothing(gathered.files.length === 0);
        uploads.openWhenDone(uploads.add(gathered.files, { maxFpr: rate, truncated }));
    };
    useEffect(() => {
        const paste = (e: ClipboardEvent) => {
            const found = pasted(e.clipboardData);
            if (found.length === 0) return;
            e.preventDefault();
            take({ files: found, passed: 0 });
        };
        // A file that misses the frame must not replace the page.
        const drag = (e: DragEvent) => {
            e.preventDefault();
            setOver(e.type === "dragover" || (e.type === "dragleave" && e.relatedTarget !== null));
        };
        const drop = (e: DragEvent) => {
            e.preventDefault();
            setOver(false);
            if (e.dataTransfer) dropped(e.dataTransfer).then(take, () => setNothing(true));
        };
        addEventListener("paste", paste);
        addEventListener("dragover", drag);
        addEventListener("dragleave", drag);
        addEventListener("drop", drop);
        return () => {
            removeEventListener("paste", paste);
            removeEventListener("dragover", drag);
            removeEventListener("dragleave", drag);
            removeEventListener("drop", drop);
        };
    });
    const sizes = { picture: bytes(limits.picture), video: bytes(limits.video) };
    return (
        <>
            <Title text={t("scan.title")} />
            <p class="intro">{t("scan.lead")}</p>
            <section class={`drop ${over ? "over" : ""}`} aria-label={t("scan.drop")}>
                <svg viewBox="0 0 48 48" aria-hidden="true">
                    <path d="M24 31V9m0 0-8 8m8-8 8 8M8 31v6a3 3 0 0 0 3 3h26a3 3 0 0 0 3-3v-6" />
                </svg>
                <p class="call">{t("scan.drop")}</p>
                <p class="soft paste">{t("scan.paste")}</p>
                <div class="row centre">
                    <button type="button" class="primary" onClick={() => files.current?.click()}>
                        {t("scan.choose")}
                    </button>
                    <button type="button" class="folder" onClick={() => folder.current?.click()}>
                        {t("scan.folder")}
                    </button>
                </div>
                <input
                    ref={files}
                    type="file"
                    multiple
                    hidden
                    data-input="files"
                    onChange={(e) => {
                        take({ files: [...(e.currentTarget.files ?? [])], passed: 0 });
                        e.currentTarget.value = "";
                    }}
                />
                <input
                    ref={(element) => {
                        folder.current = element;
                        element?.setAttribute("webkitdirectory", "");
                    }}
                    type="file"
                    hidden
                    data-input="folder"
                    onChange={(e) => {
                        if (e.currentTarget.files) take(chosenFolder(e.currentTarget.files));
                        e.currentTarget.value = "";
                    }}
                />
                <p class="soft">{t("scan.limits", sizes)}</p>
            </section>
            <details class="options">
                <summary>{t("scan.options")}</summary>
                <label class="field" for={`${id}-rate`}>
                    {t("scan.rate")}
                </label>
                <select id={`${id}-rate`} value={rate} onChange={(e) => setRate(e.currentTarget.value)}>
                    <option value="">{t("scan.rate.usual")}</option>
                    {RATES.map((r) => (
                        <option key={r} value={r}>
                            {t("scan.rate.percent", { percent: `${100 * Number(r)}%` })}
                        </option>
                    ))}
                </select>
                <label class="check">
                    <input type="checkbox" checked={truncated} onChange={(e) => setTruncated(e.currentTarget.checked)} />
                    {t("scan.truncated")}
                </label>
            </details>
            {passed > 0 && <p class="notice">{count("scan.passed", passed)}</p>}
            {nothing && <p class="notice">{t("scan.empty")}</p>}
            {list.length > 0 && <List list={list} />}
        </>
    );
}

function List({ list }: { list: readonly Upload[] }) {
    const over = list.filter((u) => u.state === "ended" || u.state === "refused" || u.state === "cancelled");
    const done = list.filter((u) => u.job?.report);
    const [first, second] = done;
    return (
        <section aria-labelledby="files">
            <div class="row between">
                <h2 id="files">{t("scan.list")}</h2>
                <span class="soft">{t("scan.overall", { done: over.length, all: list.length })}</span>
            </div>
            <ul class="files">
                {list.map((upload) => (
                    <Item key={upload.id} upload={upload} />
                ))}
            </ul>
            <div class="row">
                {first?.job && second?.job && (
                    <a class="button" href={link("compare", first.job.id, second.job.id)}>
                        {t("scan.compare")}
                    </a>
                )}
                {over.length > 0 && (
                    <button type="button" onClick={uploads.clear}>
                        {t("scan.clear")}
                    </button>
                )}
            </div>
        </section>
    );
}

function state(upload: Upload): string {
    switch (upload.state) {
        case "waiting":
            return t("state.waiting");
        case "sending":
            return t("state.sending", { percent: `${Math.round(100 * upload.sent)}%` });
        case "cancelled":
            return t("state.cancelled");
        case "refused":
        case "ended":
            return t("state.failed");
        case "sent":
            if (upload.frames.length > 0) return count("state.frames", upload.frames.length);
            return t(`state.${upload.job?.state ?? "queued"}`);
    }
}

function Item({ upload }: { upload: Upload }) {
    const { file, job } = upload;
    const going = upload.state === "waiting" || upload.state === "sending" || upload.state === "sent";
    const problem = upload.problem ?? (job?.error ? { ...job.error, detail: job.error.message } : null);
    const parts = upload.problem?.parts ?? partsOf(job?.error ?? null);
    if (job?.report) {
        return (
            <li>
                <a class="file" href={link("job", job.id)}>
                    <span class="name">{file.name}</span>
                    <Chip verdict={job.verdict} />
                    <span class="soft p">{job.probability === null ? "" : words.percent(job.probability)}</span>
                    <Chevron />
                </a>
            </li>
        );
    }
    return (
        <li>
            <div class="file">
                <span class="name">{file.name}</span>
                <span class={problem ? "state bad" : "state soft"}>{state(upload)}</span>
                {going && (
                    <button
                        type="button"
                        class="plain"
                        aria-label={t("scan.cancel.of", { name: file.name })}
                        onClick={() => uploads.cancel(upload)}
                    >
                        {t("scan.cancel")}
                    </button>
                )}
                {!going && parts.length === 0 && (
                    <button
                        type="button"
                        class="plain"
                        aria-label={t("scan.again.of", { name: file.name })}
                        onClick={() => uploads.again(upload)}
                    >
                        {t("scan.again")}
                    </button>
                )}
            </div>
            {going &&
                (upload.state === "sending" && upload.sent < 1 ? (
                    <progress max="1" value={upload.sent} aria-label={t("scan.progress", { name: file.name })} />
                ) : (
                    <progress aria-label={t("scan.progress", { name: file.name })} />
                ))}
            {problem && parts.length === 0 && <p class="why">{reason(problem)}</p>}
            {parts.length > 0 && (
                <div class="why">
                    <p>{t("scan.part")}</p>
                    <div class="row">
                        {parts.map((part) => (
                            <button
                                key={part}
                                type="button"
                                onClick={() => uploads.again(upload, { ...upload.options, part })}
                            >
                                {part}
                            </button>
                        ))}
                    </div>
                </div>
            )}
        </li>
    );
}

/** Names of pictures within a file, which the sentence of this error ends with. */
function partsOf(error: { code: string; message: string } | null): string[] {
    if (error?.code !== "parts") return [];
    const at = error.message.indexOf(": ");
    return at < 0 ? [] : error.message.slice(at + 2).split("; ");
}
