// The verdict: in words, its probability with its range, and what it does not mean.
import { t } from "../messages/index.ts";
import type { Scan } from "../record.ts";
import * as words from "../words.ts";
import { Sign } from "./basics.tsx";

export function VerdictCard({ scan }: { scan: Scan }) {
    const error = words.error(scan);
    return (
        <section class={`card verdict ${scan.verdict ?? "error"}`} aria-label={words.verdict(scan.verdict)}>
            <div class="says">
                <p class="word" data-verdict={scan.verdict ?? "error"}>
                    <Sign verdict={scan.verdict} />
                    {words.verdict(scan.verdict)}
                </p>
                <p class="lead">{words.lead(scan)}</p>
                {error && <p>{error}</p>}
                <Scale scan={scan} />
                {words.probability(scan).map((sentence) => (
                    <p key={sentence}>{sentence}</p>
                ))}
            </div>
            <aside>
                <h2>{t("limits.title")}</h2>
                <ul>
                    {words.limits(scan).map((limit) => (
                        <li key={limit}>{limit}</li>
                    ))}
                </ul>
            </aside>
        </section>
    );
}

/** The probability and its range on a line from 0 to 100%. */
export function Scale({ scan }: { scan: Pick<Scan, "probability" | "interval" | "verdict"> }) {
    if (scan.probability === null) return null;
    const p = words.percent(scan.probability);
    const bounds = words.range(scan.interval);
    const at = (value: number) => `${100 * Math.min(Math.max(value, 0), 1)}%`;
    const label = bounds
        ? t("probability.scale.range", { p, low: words.percent(bounds[0]), high: words.percent(bounds[1]) })
        : t("probability.scale", { p });
    return (
        <div class={scan.verdict ?? "error"}>
            <div class="scale" role="img" aria-label={label}>
                {bounds && <span style={{ left: at(bounds[0]), width: at(bounds[1] - bounds[0]) }} />}
                <b style={{ left: at(scan.probability) }} />
            </div>
            <div class="ends" aria-hidden="true">
                <span>{t("probability.ends.low")}</span>
                <span>{t("probability.ends.high")}</span>
            </div>
        </div>
    );
}
