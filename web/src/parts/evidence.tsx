// Why: the evidence in groups. What the file declares has a card of its own.
import { t } from "../messages/index.ts";
import type { Scan } from "../record.ts";
import * as words from "../words.ts";

export function Points({ points }: { points: readonly words.Point[] }) {
    return (
        <ul class="points">
            {points.map((point) => (
                <li key={point.measured}>
                    {point.measured}
                    {point.usual && <small>{t("evidence.usual", { text: point.usual })}</small>}
                    {point.meaning && <small>{t("evidence.meaning", { text: point.meaning })}</small>}
                </li>
            ))}
        </ul>
    );
}

export function EvidenceCard({ scan }: { scan: Scan }) {
    const groups = words.groups(scan).filter((group) => group.title !== "evidence.declared");
    if (groups.length === 0) return null;
    return (
        <section class="card" aria-labelledby="evidence">
            <h2 id="evidence">{t("evidence.title")}</h2>
            {groups.map((group) => (
                <div key={group.title}>
                    <h3>{t(group.title)}</h3>
                    <Points points={group.points} />
                </div>
            ))}
        </section>
    );
}
