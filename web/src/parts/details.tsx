// Facts for who wants to check: hashes, detector, program.
import { bytes, t, when } from "../messages/index.ts";
import type { Job, Scan } from "../record.ts";

export function Details({ scan, job }: { scan: Scan; job: Job | null }) {
    const rows: [string, string][] = [[t("details.verdict"), scan.verdict ?? "error"]];
    if (scan.probability !== null) rows.push([t("details.probability"), scan.probability.toFixed(4)]);
    if (scan.decision_threshold !== null) rows.push([t("details.threshold"), scan.decision_threshold.toFixed(2)]);
    const media = scan.media;
    if (media) {
        rows.push([t("details.format"), media.format]);
        rows.push([t("details.size"), t("details.size.pixels", { width: media.width, height: media.height })]);
        for (const name of ["codec", "decoder", "encoder"] as const) {
            const value = media[name];
            if (value) rows.push([t(`details.${name}`), value]);
        }
    }
    if (scan.duration_s !== null) rows.push([t("details.length"), t("details.length.s", { n: scan.duration_s.toFixed(2) })]);
    if (job) {
        rows.push([t("details.bytes"), bytes(job.bytes)]);
        rows.push([t("details.scanned"), when(job.finished ?? job.created)]);
    }
    if (scan.sha256) rows.push([t("details.sha256"), scan.sha256]);
    for (const detector of scan.detectors) {
        rows.push([t("details.detector"), detector.id], [t("details.weights"), detector.weights_sha256]);
    }
    const { name, version, engine } = scan.tool;
    rows.push([t("details.program"), t("details.program.of", { name, version, engine })]);
    return (
        <section class="card">
            <details>
                <summary>
                    <h2>{t("details.title")}</h2>
                </summary>
                <dl>
                    {rows.map(([term, value], i) => (
                        <div key={i}>
                            <dt>{term}</dt>
                            <dd>{value}</dd>
                        </div>
                    ))}
                </dl>
                {job?.cached && <p class="soft">{t("details.cached")}</p>}
            </details>
        </section>
    );
}
