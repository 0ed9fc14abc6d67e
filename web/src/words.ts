// A record in plain words: the same sentences as `crates/realscope/src/report/words.rs`.
import { t } from "./messages/index.ts";
import type { Key } from "./messages/index.ts";
import { isVideo } from "./record.ts";
import type { Evidence, Interval, Manifest, Scan, Verdict } from "./record.ts";

export interface Point {
    measured: string;
    usual: string | null;
    meaning: string | null;
}

export interface Group {
    title: Key;
    points: Point[];
}

export interface Line {
    text: string;
    below: Line[];
}

export function verdict(v: Verdict | null): string {
    return t(v === null ? "verdict.none" : `verdict.${v}`);
}

/** Whether a face, and no part of the video as a whole, is what was manipulated. */
function isFace(r: Scan): boolean {
    const accused = (of: { verdict: Verdict }) => of.verdict === "generated" || of.verdict === "manipulated";
    return r.verdict === "manipulated" && !(r.segments ?? []).some(accused) && (r.tracks ?? []).some(accused);
}

/** Whether the detector saw nothing but faces. */
function ofFaces(r: Scan): boolean {
    const code = isVideo(r) ? "face_frames" : "face";
    return r.evidence.some((e) => e.code === code);
}

export function lead(r: Scan): string {
    if (r.verdict === null) return t("lead.none");
    if (ofFaces(r)) {
        return t(r.verdict === "generated" ? "lead.faces.manipulated" : `lead.faces.${r.verdict}`);
    }
    if (isFace(r)) return t("lead.face");
    return t(`lead.${isVideo(r) ? "video" : "picture"}.${r.verdict}`);
}

/** Why a file has no verdict. */
export function error(r: Scan): string | null {
    return r.error && t("report.reason", { message: r.error.message, code: r.error.code });
}

/** A probability in percent, which never claims certainty. */
export function percent(p: number): string {
    const n = 100 * p;
    if (n < 0.5) return t("probability.under");
    if (n > 99.5) return t("probability.over");
    return t("probability.percent", { n: n.toFixed(0) });
}

/** Lowest and highest probability; nothing where the picture was not delivered again. */
export function range(interval: Interval | null): [number, number] | null {
    return interval && Object.keys(interval.deliveries).length > 1 ? [interval.low, interval.high] : null;
}

export function probability(r: Scan): string[] {
    if (r.verdict === null) return [];
    if (r.probability === null) return [t("probability.none")];
    const video = isVideo(r);
    const part = isFace(r) ? "face" : "part";
    const whole = video ? (r.verdict === "manipulated" ? part : "video") : "picture";
    const what = ofFaces(r) ? "faces" : whole;
    const out = [t(`probability.${what}`, { p: percent(r.probability) })];
    const bounds = range(r.interval);
    if (!video) {
        if (r.interval) out.push(rangeWords(r.interval, r.stable));
    } else if (bounds) {
        out.push(t("probability.frames", { low: percent(bounds[0]), high: percent(bounds[1]) }));
    }
    return out;
}

function delivery(name: string): string {
    if (name === "jpeg_q75" || name === "half_size" || name === "crop") return t(`range.${name}`);
    return name.replaceAll("_", " ");
}

function listed(names: string[]): string {
    const last = names.at(-1) ?? "";
    return names.length < 2 ? last : t("range.or", { first: names.slice(0, -1).join(", "), last });
}

function rangeWords(interval: Interval, stable: boolean | null): string {
    const bounds = range(interval);
    if (!bounds) return t("range.untried");
    const names = Object.keys(interval.deliveries).filter((name) => name !== "native");
    const [low, high] = [percent(bounds[0]), percent(bounds[1])];
    const decision = stable === null ? "" : t(stable ? "range.stable" : "range.unstable");
    const deliveries = listed(names.map(delivery));
    return low === high
        ? t("range.same", { deliveries, decision })
        : t("range.ranges", { deliveries, low, high, decision });
}

/** Codes that say why a verdict is not clearer, as `verdict::holds_back` lists them. */
const HELD_BACK: ReadonlySet<string> = new Set([
    "uncalibrated",
    "not_validated",
    "below_operating_point",
    "unstable",
    "artwork",
    "too_small",
    "frames_unclear",
    "parts_disagree",
    "face_unclear",
    "too_short",
    "still",
    "slideshow",
    "screen_recording",
    "flat_graphic",
    "extreme_shape",
    "declared_not_seen",
]);

function plain(measured: string): Point {
    return { measured, usual: null, meaning: null };
}

/** The evidence in groups; groups without a line are left out. */
export function groups(r: Scan): Group[] {
    const heldBack = (e: Evidence) => HELD_BACK.has(e.code);
    const artwork = r.evidence.some((e) => e.code === "artwork");
    const told = (e: Evidence) => heldBack(e) || (artwork && e.code === "looks_painted");
    const all: Group[] = [
        { title: "evidence.held_back", points: r.evidence.filter(heldBack) },
        { title: "evidence.pixels", points: r.evidence.filter((e) => e.kind === "pixels") },
        { title: "evidence.rate", points: operating(r) },
        { title: "evidence.context", points: r.evidence.filter((e) => e.kind === "context" && !told(e)) },
        { title: "evidence.declared", points: declarations(r, heldBack) },
    ];
    return all.filter((group) => group.points.length > 0);
}

function declarations(r: Scan, heldBack: (e: Evidence) => boolean): Point[] {
    const provenance = r.provenance;
    if (!provenance) return [];
    const points: Point[] = r.evidence.filter((e) => e.kind === "metadata" && !heldBack(e));
    if (provenance.declared === "none" && provenance.found.length === 0) {
        points.push(plain(t("provenance.nothing")));
    }
    const said = new Set(r.evidence.map((e) => e.measured));
    const others = [...provenance.contradictions.filter((c) => !said.has(c)), ...provenance.not_checkable];
    return [...points, ...others.map(plain)];
}

function operating(r: Scan): Point[] {
    const o = r.operating_point;
    if (!o) return [];
    const rate = String(100 * o.max_fpr);
    if (o.threshold === null || o.expected_recall === null) {
        return [plain(t("operating.none", { rate, negatives: o.negatives, tier: o.tier }))];
    }
    const bounds = o.recall_interval?.map((n) => (100 * n).toFixed(0));
    return [
        plain(
            t("operating.ok", {
                rate,
                tier: o.tier,
                threshold: o.threshold.toFixed(2),
                recall: (100 * o.expected_recall).toFixed(0),
                interval: bounds ? ` [${bounds.join(", ")}]` : "",
            }),
        ),
    ];
}

/** What the verdict does not mean. */
export function limits(r: Scan): string[] {
    switch (r.verdict) {
        case "generated":
        case "manipulated":
            return [t("limits.accused.1"), t("limits.accused.2")];
        case "uncertain":
            return [t("limits.uncertain.1"), t("limits.uncertain.2")];
        case "no_evidence":
            return [t("limits.no_evidence.1"), t("limits.no_evidence.2")];
        case null:
            return [t("limits.none.1")];
    }
}

/** `valid`, `trusted` and so on as a reader should understand them. */
export function trustWord(word: string): string {
    switch (word) {
        case "valid":
        case "invalid":
        case "not_checked":
        case "trusted":
        case "untrusted":
            return t(`word.${word}`);
        default:
            return word;
    }
}

/** The history that content credentials tell, as a tree. */
export function history(r: Scan): Line[] {
    const c2pa = r.metadata?.c2pa;
    if (!c2pa) return [];
    const out = c2pa.manifest ? [branch(c2pa.manifest)] : [];
    return [...out, ...c2pa.unlinked.map((m) => ({ text: t("c2pa.unlinked"), below: [branch(m)] }))];
}

function branch(m: Manifest): Line {
    const text = t("c2pa.manifest", {
        writer: m.claim_generator ?? t("c2pa.writer"),
        signer: m.signer ?? t("c2pa.signer"),
        time: m.time === null ? t("c2pa.time.none") : t("c2pa.time", { time: m.time }),
        integrity: trustWord(m.integrity),
        problems: m.problems.length > 0 ? ` (${m.problems.join(", ")})` : "",
        trust: trustWord(m.trust),
    });
    const below: Line[] = [];
    const leaf = (line: string) => below.push({ text: line, below: [] });
    for (const action of m.actions) {
        let line = t("c2pa.action", { action: action.action });
        if (action.source_type) line += t("c2pa.action.type", { term: action.source_type });
        for (const type of action.source_types) line += t("c2pa.action.place", { ...type });
        if (action.agent) line += t("c2pa.action.agent", { agent: action.agent });
        for (const [name, value] of Object.entries(action.vendor)) line += t("c2pa.action.vendor", { name, value });
        leaf(line);
    }
    for (const type of m.source_types) leaf(t("c2pa.source", { ...type }));
    for (const uri of m.redactions) leaf(t("c2pa.redaction", { uri }));
    for (const i of m.ingredients) {
        let own = "";
        if (!i.manifest) own = i.omitted ? t("c2pa.ingredient.omitted", { why: i.omitted }) : t("c2pa.ingredient.bare");
        const line = t("c2pa.ingredient", {
            relationship: i.relationship,
            title: i.title ?? t("c2pa.ingredient.untitled"),
            format: i.format ? t("c2pa.ingredient.format", { format: i.format }) : "",
            own,
        });
        below.push({ text: line, below: i.manifest ? [branch(i.manifest)] : [] });
    }
    return { text, below };
}
