// Two scans side by side: the same layer, the same place, the same facts.
import { useId, useState } from "preact/hooks";
import { ask } from "../api.ts";
import { job as jobOf } from "../jobs.ts";
import { t } from "../messages/index.ts";
import { Chip, Failure, Loading, Title, useAnswer } from "../parts/basics.tsx";
import { Curve } from "../parts/film.tsx";
import { Scale } from "../parts/verdict.tsx";
import { LAYERS, LayerTabs, Legend, Opacity, Viewer, WHOLE, layersOf, usual } from "../parts/viewer.tsx";
import type { Layer, Look } from "../parts/viewer.tsx";
import type { Job, Scan } from "../record.ts";
import { isVideo } from "../record.ts";
import { link } from "../route.ts";
import * as words from "../words.ts";

interface Side {
    job: Job;
    report: string;
    scan: Scan;
}

async function side(id: string): Promise<Side> {
    const job = await jobOf(id);
    if (!job.report) throw new Error(t("report.none"));
    const scan = await ask<Scan>(`/v1/reports/${job.report}`);
    return { job, report: job.report, scan: { ...scan, path: job.name } };
}

export function CompareView({ ids }: { ids: readonly string[] }) {
    const [answer, again] = useAnswer(() => Promise.all(ids.slice(0, 2).map(side)), [ids.join()]);
    const title = <Title text={t("compare.title")} />;
    if (ids.length < 2) {
        return (
            <>
                {title}
                <p class="notice">
                    <a href={link("history")}>{t("compare.choose")}</a>
                </p>
            </>
        );
    }
    if (answer.error) {
        return (
            <>
                {title}
                <Failure error={answer.error} retry={again} />
            </>
        );
    }
    const [a, b] = answer.value ?? [];
    if (!a || !b) return <Loading />;
    return (
        <>
            {title}
            {a.job.sha256 === b.job.sha256 && <p class="notice">{t("compare.same")}</p>}
            <Pictures sides={[a, b]} />
            <Facts a={a} b={b} />
        </>
    );
}

function Pictures({ sides }: { sides: readonly [Side, Side] }) {
    const both = LAYERS.filter((layer) => sides.every((s) => layersOf(s.scan).includes(layer)));
    const [layer, setLayer] = useState<Layer>(both.includes("map") ? "map" : "picture");
    const [opacity, setOpacity] = useState(usual(layer));
    const [linked, setLinked] = useState(true);
    const [looks, setLooks] = useState<readonly [Look, Look]>([WHOLE, WHOLE]);
    const panel = useId();
    const chosen = (next: Layer) => {
        setLayer(next);
        setOpacity(usual(next));
        if ((next === "spectrum") !== (layer === "spectrum")) setLooks([WHOLE, WHOLE]);
    };
    const look = (i: number) => (next: Look) =>
        setLooks(([a, b]) => (linked ? [next, next] : i === 0 ? [next, b] : [a, next]));
    return (
        <section class="card" aria-label={t("viewer.layers")}>
            <LayerTabs layers={both} layer={layer} panel={panel} onLayer={chosen} />
            <div id={panel} role="tabpanel" aria-labelledby={`${panel}-${layer}`}>
                <div class="pair">
                    {sides.map((s, i) => (
                        <div key={i} class="side">
                            <h2>
                                <a href={link("job", s.job.id)}>{s.job.name}</a>
                            </h2>
                            <Chip verdict={s.scan.verdict} />
                            <Scale scan={s.scan} />
                            <Viewer
                                report={s.report}
                                scan={s.scan}
                                layer={layer}
                                opacity={opacity}
                                look={looks[i] ?? WHOLE}
                                onLook={look(i)}
                                windows={false}
                                label={`${s.job.name}. ${t("viewer.stage")}`}
                            />
                            {isVideo(s.scan) && (
                                <Curve
                                    frames={s.scan.frames ?? []}
                                    length={s.scan.duration_s ?? 0}
                                    threshold={s.scan.decision_threshold}
                                    segments={s.scan.segments ?? []}
                                    shots={s.scan.shots ?? []}
                                />
                            )}
                        </div>
                    ))}
                </div>
                <div class="under">
                    {layer !== "picture" && layer !== "spectrum" && <Opacity value={opacity} onValue={setOpacity} />}
                    {layer === "map" && <Legend />}
                    <label class="check">
                        <input type="checkbox" checked={linked} onChange={(e) => setLinked(e.currentTarget.checked)} />
                        {t("compare.linked")}
                    </label>
                </div>
                <p class="soft">{t(`viewer.about.${layer}`)}</p>
            </div>
        </section>
    );
}

function Facts({ a, b }: { a: Side; b: Side }) {
    const row = (name: string, of: (s: Side) => string): [string, string, string] => [name, of(a), of(b)];
    const rows = [
        row(t("details.verdict"), (s) => words.verdict(s.scan.verdict)),
        row(t("details.probability"), (s) => (s.scan.probability === null ? "–" : words.percent(s.scan.probability))),
        row(t("compare.range"), (s) => {
            const bounds = words.range(s.scan.interval);
            return bounds ? t("compare.range.of", { low: words.percent(bounds[0]), high: words.percent(bounds[1]) }) : "–";
        }),
        row(t("history.column.declared"), (s) => t(`declared.${s.scan.provenance?.declared ?? "none"}`)),
        row(t("details.format"), (s) => s.scan.media?.format ?? "–"),
        row(t("details.size"), (s) =>
            s.scan.media ? t("details.size.pixels", { width: s.scan.media.width, height: s.scan.media.height }) : "–",
        ),
        row(t("details.bytes"), (s) => s.job.bytes.toLocaleString()),
        row(t("details.detector"), (s) => s.scan.detectors.map((d) => d.id).join(", ")),
        row(t("details.sha256"), (s) => s.job.sha256),
    ];
    return (
        <section class="card" aria-labelledby="facts">
            <h2 id="facts">{t("compare.facts")}</h2>
            <div class="scroll" tabIndex={0} role="region" aria-labelledby="facts">
                <table class="facts">
                    <thead>
                        <tr>
                            <th scope="col">{t("compare.fact")}</th>
                            <th scope="col">{a.job.name}</th>
                            <th scope="col">{b.job.name}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map(([name, left, right]) => (
                            <tr key={name} class={left === right ? "" : "differs"}>
                                <th scope="row">{name}</th>
                                <td>{left}</td>
                                <td>{right}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}
