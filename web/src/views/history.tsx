// All scans of this owner: searched, filtered, picked for comparison.
import { useEffect, useId, useState } from "preact/hooks";
import { ask } from "../api.ts";
import { count, t, when } from "../messages/index.ts";
import type { Key } from "../messages/index.ts";
import { Chip, Failure, Loading, Title } from "../parts/basics.tsx";
import type { Job, Verdict } from "../record.ts";
import { go, link } from "../route.ts";
import * as words from "../words.ts";

interface Filters {
    q: string;
    verdict: string;
    kind: string;
    state: string;
    since: string;
    until: string;
}

const NONE: Filters = { q: "", verdict: "", kind: "", state: "", since: "", until: "" };
const VERDICTS: readonly Verdict[] = ["generated", "manipulated", "uncertain", "no_evidence"];
const STATES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
/** Scans of one page. */
const PAGE = 50;

/** Midnight of a day, or of the one after it, in the reader's time. */
function midnight(day: string, later: number): string {
    const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
    return new Date(year, month - 1, date + later).toISOString();
}

function query(f: Filters, after: string | null): string {
    const all = new URLSearchParams({ limit: String(PAGE) });
    for (const name of ["q", "verdict", "kind", "state"] as const) if (f[name]) all.set(name, f[name]);
    if (f.since) all.set("since", midnight(f.since, 0));
    if (f.until) all.set("until", midnight(f.until, 1));
    if (after) all.set("after", after);
    return `/v1/jobs?${all}`;
}

interface Page {
    jobs: Job[];
    next: string | null;
}

export function HistoryView({ picked: first }: { picked: string | null }) {
    const [filters, setFilters] = useState(NONE);
    const [jobs, setJobs] = useState<Job[] | null>(null);
    const [next, setNext] = useState<string | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [picked, setPicked] = useState<readonly string[]>(first ? [first] : []);
    const [turn, again] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        // A search is asked for once the reader pauses.
        const timer = setTimeout(
            () =>
                ask<Page>(query(filters, null), { signal: stop.signal }).then(
                    (page) => {
                        setJobs(page.jobs);
                        setNext(page.next);
                        setError(null);
                    },
                    (e: unknown) => !stop.signal.aborted && setError(e),
                ),
            jobs === null ? 0 : 250,
        );
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [filters, turn]);
    const more = () => {
        ask<Page>(query(filters, next)).then((page) => {
            setJobs([...(jobs ?? []), ...page.jobs]);
            setNext(page.next);
        }, setError);
    };
    const pick = (id: string, on: boolean) => {
        // The last two that were picked count.
        setPicked((all) => (on ? [...all.filter((p) => p !== id), id].slice(-2) : all.filter((p) => p !== id)));
    };
    const [a, b] = picked;
    return (
        <>
            <Title text={t("history.title")} />
            <FilterBar filters={filters} onFilters={setFilters} />
            {error !== null && <Failure error={error} retry={() => again((n) => n + 1)} />}
            {jobs === null && error === null && <Loading />}
            {jobs && (
                <>
                    <div class="row between" aria-live="polite">
                        <span class="soft">{count("history.count", jobs.length)}</span>
                        {a && b ? (
                            <button type="button" class="primary" onClick={() => go("compare", a, b)}>
                                {t("history.compare")}
                            </button>
                        ) : (
                            <span class="soft">{t(a ? "history.compare.one" : "history.compare.hint")}</span>
                        )}
                    </div>
                    {jobs.length === 0 ? (
                        <p class="notice">{t(filters === NONE ? "history.none.yet" : "history.none")}</p>
                    ) : (
                        <Table jobs={jobs} picked={picked} pick={pick} />
                    )}
                    {next && (
                        <button type="button" onClick={more}>
                            {t("history.more")}
                        </button>
                    )}
                </>
            )}
        </>
    );
}

function FilterBar({ filters, onFilters }: { filters: Filters; onFilters: (filters: Filters) => void }) {
    const id = useId();
    const set = (name: keyof Filters) => (e: { currentTarget: { value: string } }) =>
        onFilters({ ...filters, [name]: e.currentTarget.value });
    const select = (name: "verdict" | "kind" | "state", options: readonly (readonly [string, Key])[]) => (
        <label class="field">
            {t(`history.${name}`)}
            <select value={filters[name]} onChange={set(name)}>
                <option value="">{t("history.any")}</option>
                {options.map(([value, text]) => (
                    <option key={value} value={value}>
                        {t(text)}
                    </option>
                ))}
            </select>
        </label>
    );
    return (
        <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
            <label class="field wide">
                {t("history.search")}
                <input
                    type="search"
                    value={filters.q}
                    onInput={set("q")}
                    placeholder={t("history.search.hint")}
                    aria-describedby={`${id}-hint`}
                />
                <span id={`${id}-hint`} class="hidden">
                    {t("history.search.hint")}
                </span>
            </label>
            {select(
                "verdict",
                VERDICTS.map((v) => [v, `verdict.${v}`] as const),
            )}
            {select("kind", [
                ["picture", "history.picture"],
                ["video", "history.video"],
            ])}
            {select(
                "state",
                STATES.map((s) => [s, `state.${s}`] as const),
            )}
            <label class="field">
                {t("history.since")}
                <input type="date" value={filters.since} onInput={set("since")} />
            </label>
            <label class="field">
                {t("history.until")}
                <input type="date" value={filters.until} onInput={set("until")} />
            </label>
            {filters !== NONE && (
                <button type="button" onClick={() => onFilters(NONE)}>
                    {t("history.reset")}
                </button>
            )}
        </form>
    );
}

function Table(props: { jobs: readonly Job[]; picked: readonly string[]; pick: (id: string, on: boolean) => void }) {
    return (
        <table class="cards">
            <thead>
                <tr>
                    <th scope="col">{t("history.column.name")}</th>
                    <th scope="col">{t("history.column.verdict")}</th>
                    <th scope="col">{t("history.column.probability")}</th>
                    <th scope="col">{t("history.column.declared")}</th>
                    <th scope="col">{t("history.column.when")}</th>
                    <th scope="col">{t("history.column.pick")}</th>
                </tr>
            </thead>
            <tbody>
                {props.jobs.map((job) => (
                    <tr key={job.id}>
                        <th scope="row">
                            <a href={link("job", job.id)}>{job.name}</a>
                        </th>
                        <td>
                            {job.state === "succeeded" ? (
                                <Chip verdict={job.verdict} />
                            ) : (
                                <span class={`chip ${job.state}`}>{t(`state.${job.state}`)}</span>
                            )}
                        </td>
                        <td>{job.probability === null ? "" : words.percent(job.probability)}</td>
                        <td>{job.declared === null || job.declared === "none" ? "" : t(`declared.${job.declared}`)}</td>
                        <td>
                            <time dateTime={job.created}>{when(job.created)}</time>
                        </td>
                        <td>
                            {job.report && (
                                <label class="pick">
                                    <input
                                        type="checkbox"
                                        aria-label={t("history.pick", { name: job.name })}
                                        checked={props.picked.includes(job.id)}
                                        onChange={(e) => props.pick(job.id, e.currentTarget.checked)}
                                    />
                                    <span>{t("history.column.pick")}</span>
                                </label>
                            )}
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}
