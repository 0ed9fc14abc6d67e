// One scan: its progress while it lasts, then its report.
import { useEffect, useState } from "preact/hooks";
import { ask, load, reason } from "../api.ts";
import { follow, job as jobOf } from "../jobs.ts";
import { count, t } from "../messages/index.ts";
import { Actions } from "../parts/actions.tsx";
import { Failure, Loading, Title, useAnswer } from "../parts/basics.tsx";
import { Details } from "../parts/details.tsx";
import { EvidenceCard } from "../parts/evidence.tsx";
import { FeedbackCard } from "../parts/feedback.tsx";
import { Curve, FilmCard } from "../parts/film.tsx";
import { ProvenanceCard } from "../parts/provenance.tsx";
import { VerdictCard } from "../parts/verdict.tsx";
import { PictureCard } from "../parts/viewer.tsx";
import { isFinal, isVideo } from "../record.ts";
import type { Frame, Job, Scan } from "../record.ts";
import { go } from "../route.ts";
import { say } from "../say.ts";
import * as uploads from "../uploads.ts";
import * as words from "../words.ts";

export function JobView({ id }: { id: string }) {
    const [job, setJob] = useState<Job | null>(null);
    const [frames, setFrames] = useState<readonly Frame[]>([]);
    const [error, setError] = useState<unknown>(null);
    const [turn, again] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        setJob(null);
        setError(null);
        setFrames([]);
        jobOf(id)
            .then(async (first) => {
                if (stop.signal.aborted) return;
                setJob(first);
                if (isFinal(first.state)) return;
                const tell = { job: setJob, frame: (frame: Frame) => setFrames((all) => [...all, frame]) };
                const ended = await follow(id, tell, stop.signal);
                if (ended) say(t("say.done", { name: ended.name, verdict: words.verdict(ended.verdict) }));
            })
            .catch((e: unknown) => !stop.signal.aborted && setError(e));
        return () => stop.abort();
    }, [id, turn]);
    if (error !== null) {
        return (
            <>
                <Title text={t("report.none")} />
                <Failure error={error} retry={() => again((n) => n + 1)} />
            </>
        );
    }
    if (!job) return <Loading />;
    if (job.report) return <Report key={job.report} job={job} report={job.report} />;
    if (isFinal(job.state)) {
        return (
            <>
                <Title text={job.name} />
                <div class="notice bad" role="alert">
                    <p>
                        <strong>{t(`state.${job.state}`)}.</strong>{" "}
                        {job.error && reason({ code: job.error.code, detail: job.error.message })}
                    </p>
                </div>
            </>
        );
    }
    const last = frames.reduce((most, f) => Math.max(most, f.time_s), 0);
    return (
        <>
            <Title text={t("report.running", { name: job.name })} />
            <section class="card">
                <p class="loading" role="status">
                    <span class="spinner" aria-hidden="true" />{" "}
                    {frames.length > 0 ? count("state.frames", frames.length) : t(`state.${job.state}`)}
                </p>
                {frames.length > 1 && <Curve frames={frames} length={last} />}
                <button
                    type="button"
                    onClick={() => {
                        ask(`/v1/jobs/${id}`, { method: "DELETE" }).then(() => again((n) => n + 1), setError);
                    }}
                >
                    {t("scan.cancel")}
                </button>
            </section>
        </>
    );
}

function Report({ job, report }: { job: Job; report: string }) {
    const [answer, again] = useAnswer(
        async (signal) => {
            const scan = await ask<Scan>(`/v1/reports/${report}`, { signal });
            // The same bytes may have been scanned under another name.
            return { ...scan, path: job.name };
        },
        [report],
    );
    const [failed, setFailed] = useState<unknown>(null);
    const draw = async () => {
        try {
            const file = await load(`/v1/reports/${report}/media`);
            uploads.openWhenDone(uploads.add([new File([file], job.name)], { maxFpr: "", truncated: false }));
            go("");
        } catch {
            setFailed(new Error(t("viewer.draw.gone")));
        }
    };
    if (answer.error) {
        return (
            <>
                <Title text={job.name} />
                <Failure error={answer.error} retry={again} />
            </>
        );
    }
    const scan = answer.value;
    if (!scan) return <Loading />;
    return (
        <>
            <Title text={scan.path} />
            <VerdictCard scan={scan} />
            {failed !== null && <Failure error={failed} />}
            {isVideo(scan) && <FilmCard scan={scan} job={job} report={report} />}
            <PictureCard report={report} scan={scan} draw={draw} />
            <div class="columns">
                <div>
                    <EvidenceCard scan={scan} />
                </div>
                <div>
                    <ProvenanceCard scan={scan} />
                    <FeedbackCard report={report} />
                    <Actions scan={scan} job={job} report={report} />
                </div>
            </div>
            <Details scan={scan} job={job} />
        </>
    );
}
