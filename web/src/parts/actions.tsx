// What can be done with a report: downloads in every form that the service says it has, comparing, forgetting.
import { useState } from "preact/hooks";
import { ask, load } from "../api.ts";
import { maybe, t } from "../messages/index.ts";
import type { Job, Scan } from "../record.ts";
import { go, link } from "../route.ts";
import { Confirm, Failure, useAnswer } from "./basics.tsx";

const USUAL = ["html", "json", "text"];
const ENDINGS: Readonly<Record<string, string>> = { text: "txt", signed: "signed.html" };

/** Words that a schema lists, as `enum` or as constants, at any depth. */
function words(schema: unknown): string[] {
    if (Array.isArray(schema)) return schema.flatMap(words);
    if (schema === null || typeof schema !== "object") return [];
    return Object.entries(schema).flatMap(([name, value]: [string, unknown]) => {
        const listed = name === "enum" && Array.isArray(value) ? value : name === "const" ? [value] : null;
        return listed ? listed.filter((v) => typeof v === "string") : words(value);
    });
}

let known: Promise<string[]> | null = null;

/** Forms of a report, as the description of the interface lists them. */
function formats(): Promise<string[]> {
    interface Description {
        paths?: Record<string, { get?: { parameters?: { name: string; schema: unknown }[] } }>;
    }
    known ??= ask<Description>("/openapi.json").then(
        (description) => {
            const parameters = description.paths?.["/v1/reports/{id}"]?.get?.parameters ?? [];
            const found = words(parameters.find((p) => p.name === "format")?.schema);
            return found.length > 0 ? found : USUAL;
        },
        () => USUAL,
    );
    return known;
}

/** A name of a file without what folders and systems do not take. */
function stem(scan: Scan): string {
    const name = scan.path.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "-");
    return `realscope-${name || "report"}`;
}

async function save(path: string, name: string): Promise<void> {
    const address = URL.createObjectURL(await load(path));
    const anchor = document.createElement("a");
    anchor.href = address;
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function Actions({ scan, job, report }: { scan: Scan; job: Job | null; report: string }) {
    const [forms] = useAnswer(formats, []);
    const [error, setError] = useState<unknown>(null);
    const [asks, setAsks] = useState(false);
    const download = (path: string, name: string) => {
        setError(null);
        save(path, name).catch(setError);
    };
    const forget = () => {
        if (!job) return;
        ask(`/v1/jobs/${job.id}`, { method: "DELETE" }).then(() => go("history"), setError);
    };
    return (
        <section class="card" aria-labelledby="actions">
            <h2 id="actions">{t("report.actions")}</h2>
            <h3>{t("report.download")}</h3>
            <div class="row">
                {(forms.value ?? USUAL).map((form) => (
                    <button
                        key={form}
                        type="button"
                        data-form={form}
                        onClick={() =>
                            download(`/v1/reports/${report}?format=${form}`, `${stem(scan)}.${ENDINGS[form] ?? form}`)
                        }
                    >
                        {maybe(`report.download.${form}`) ?? t("report.download.other", { format: form })}
                    </button>
                ))}
                <button type="button" onClick={() => download(`/v1/reports/${report}/media`, scan.path)}>
                    {t("report.download.media")}
                </button>
            </div>
            <div class="row apart">
                {job && (
                    <a class="button" href={link("history", job.id)}>
                        {t("report.compare")}
                    </a>
                )}
                {job && (
                    <button type="button" class="danger" onClick={() => setAsks(true)}>
                        {t("report.delete")}
                    </button>
                )}
            </div>
            {error !== null && <Failure error={error} />}
            {asks && (
                <Confirm
                    title={t("report.delete.title", { name: scan.path })}
                    about={t("report.delete.about")}
                    yes={t("report.delete.yes")}
                    done={forget}
                    close={() => setAsks(false)}
                />
            )}
        </section>
    );
}
