// What the file declares about itself, as a tree: claims, contradictions, content credentials, metadata.
import type { ComponentChildren } from "preact";
import { t } from "../messages/index.ts";
import type { Key } from "../messages/index.ts";
import type { Scan } from "../record.ts";
import * as words from "../words.ts";
import { Points } from "./evidence.tsx";

function Branch({ title, open, children }: { title: ComponentChildren; open?: boolean; children: ComponentChildren }) {
    return (
        <li>
            <details open={open}>
                <summary>{title}</summary>
                <ul class="tree">{children}</ul>
            </details>
        </li>
    );
}

function Lines({ lines }: { lines: readonly words.Line[] }) {
    return (
        <>
            {lines.map((line, i) =>
                line.below.length > 0 ? (
                    <Branch key={i} title={line.text} open>
                        <Lines lines={line.below} />
                    </Branch>
                ) : (
                    <li key={i}>{line.text}</li>
                ),
            )}
        </>
    );
}

export function ProvenanceCard({ scan }: { scan: Scan }) {
    const provenance = scan.provenance;
    if (!provenance) return null;
    const declared = words.groups(scan).find((group) => group.title === "evidence.declared");
    // What has a branch of its own is not said twice.
    const branches = new Set([...provenance.contradictions, ...provenance.not_checkable]);
    const points = declared?.points.filter((point) => !branches.has(point.measured)) ?? [];
    const credentials = words.history(scan);
    const c2pa = scan.metadata?.c2pa ?? null;
    return (
        <section class="card" aria-labelledby="provenance">
            <h2 id="provenance">{t("provenance.title")}</h2>
            <p class="soft">{t("provenance.about")}</p>
            <h3>{t("evidence.declared")}</h3>
            <p>
                <strong>{t("provenance.declared", { word: t(`declared.${provenance.declared}`) })}</strong>
            </p>
            <Points points={points} />
            <ul class="tree roots">
                {provenance.contradictions.length > 0 && (
                    <Branch title={t("provenance.contradictions")} open>
                        {provenance.contradictions.map((text) => (
                            <li key={text} class="odd">
                                {text}
                            </li>
                        ))}
                    </Branch>
                )}
                {provenance.claims.length > 0 && (
                    <Branch title={t("provenance.claims")} open>
                        {provenance.claims.map((claim, i) => (
                            <li key={i}>
                                {t("provenance.claim", { declared: t(`declared.${claim.declared}`), what: claim.what })}
                                <small>{claim.place}</small>
                            </li>
                        ))}
                    </Branch>
                )}
                {(credentials.length > 0 || c2pa) && (
                    <Branch title={t("provenance.credentials")} open>
                        {provenance.integrity && (
                            <li>{t("provenance.integrity", { word: words.trustWord(provenance.integrity) })}</li>
                        )}
                        {provenance.trust && <li>{t("provenance.trust", { word: words.trustWord(provenance.trust) })}</li>}
                        {c2pa?.remote_url && <li>{t("c2pa.remote", { url: c2pa.remote_url })}</li>}
                        {c2pa && !c2pa.manifest && c2pa.problems.map((problem) => <li key={problem}>{problem}</li>)}
                        <Lines lines={credentials} />
                    </Branch>
                )}
                {provenance.not_checkable.length > 0 && (
                    <Branch title={t("provenance.not_checkable")}>
                        {provenance.not_checkable.map((text) => (
                            <li key={text}>{text}</li>
                        ))}
                    </Branch>
                )}
                {provenance.found.length > 0 && (
                    <Branch title={t("provenance.found")}>
                        {provenance.found.map((text) => (
                            <li key={text}>{text}</li>
                        ))}
                    </Branch>
                )}
                <MetadataTree scan={scan} />
            </ul>
        </section>
    );
}

const PARTS = ["exif", "xmp", "iptc", "png_text", "container_text", "generators", "aigc"] as const;

/** Names and values of a part that hold something; parts are objects, lists of pairs, or lists of objects. */
function rows(part: unknown): [string, string][] {
    if (part === null || part === undefined) return [];
    if (Array.isArray(part)) {
        return part.flatMap((item: unknown): [string, string][] => {
            if (Array.isArray(item)) return [[String(item[0]), String(item[1])]];
            return rows(item);
        });
    }
    if (typeof part !== "object") return [];
    return Object.entries(part).flatMap(([name, value]): [string, string][] => {
        if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return [];
        return [[name.replaceAll("_", " "), Array.isArray(value) ? value.join(", ") : String(value)]];
    });
}

function MetadataTree({ scan }: { scan: Scan }) {
    const parts = PARTS.map((name) => ({ name, rows: rows(scan.metadata?.[name]) })).filter((p) => p.rows.length > 0);
    if (parts.length === 0) return null;
    return (
        <Branch title={t("metadata.title")}>
            {parts.map((part) => (
                <Branch key={part.name} title={t(`metadata.${part.name}` as Key)} open>
                    <li>
                        <dl>
                            {part.rows.map(([name, value], i) => (
                                <div key={i}>
                                    <dt>{name}</dt>
                                    <dd>{value}</dd>
                                </div>
                            ))}
                        </dl>
                    </li>
                </Branch>
            ))}
        </Branch>
    );
}
