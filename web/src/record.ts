// What the service answers: jobs, records (`docs/record.md`), keys, remarks. Only what the page reads is named.

export type Verdict = "generated" | "manipulated" | "uncertain" | "no_evidence";
export type JobState = "queued" | "running" | "succeeded" | "failed" | "cancelled";
export type Declared =
    | "generated"
    | "composite_with_generated"
    | "edited_with_ai"
    | "edited"
    | "captured"
    | "none";

export interface Job {
    id: string;
    state: JobState;
    name: string;
    kind: "picture" | "video";
    sha256: string;
    bytes: number;
    created: string;
    finished: string | null;
    verdict: Verdict | null;
    probability: number | null;
    declared: Declared | null;
    report: string | null;
    cached: boolean;
    error: { code: string; message: string } | null;
}

export interface Interval {
    low: number;
    high: number;
    deliveries: Readonly<Record<string, number>>;
    skipped: readonly string[];
}

export interface Evidence {
    code: string;
    kind: "pixels" | "context" | "metadata";
    measured: string;
    usual: string | null;
    meaning: string | null;
}

export interface Frame {
    index: number;
    time_s: number;
    probability: number | null;
    verdict: Verdict;
}

export interface Segment {
    start_s: number;
    end_s: number;
    probability: number | null;
    verdict: Verdict;
    frames: number;
    why: string | null;
}

/** Where a face is in one frame, in pixels of the upright frame. */
export interface TrackBox {
    time_s: number;
    x: number;
    y: number;
    width: number;
    height: number;
    probability: number | null;
}

/** A face that was followed. Its verdict is of the face alone. */
export interface Track {
    id: number;
    start_s: number;
    end_s: number;
    probability: number | null;
    verdict: Verdict;
    looks: number;
    detector: string;
    calibration_id: string | null;
    why: string | null;
    boxes: readonly TrackBox[];
}

export interface Region {
    x: number;
    y: number;
    width: number;
    height: number;
    probability: number | null;
}

export interface SourceType {
    term: string;
    place: string;
}

export interface Action {
    action: string;
    source_type: string | null;
    agent: string | null;
    vendor: Readonly<Record<string, string>>;
    source_types: readonly SourceType[];
}

export interface Ingredient {
    title: string | null;
    relationship: string;
    format: string | null;
    manifest: Manifest | null;
    omitted: string | null;
}

export interface Manifest {
    claim_generator: string | null;
    signer: string | null;
    time: string | null;
    integrity: string;
    trust: string;
    problems: readonly string[];
    actions: readonly Action[];
    source_types: readonly SourceType[];
    redactions: readonly string[];
    ingredients: readonly Ingredient[];
}

export interface Metadata {
    c2pa: {
        manifest: Manifest | null;
        unlinked: readonly Manifest[];
        problems: readonly string[];
        remote_url: string | null;
    } | null;
    [part: string]: unknown;
}

export interface OperatingPoint {
    tier: string;
    max_fpr: number;
    threshold: number | null;
    expected_recall: number | null;
    recall_interval: readonly [number, number] | null;
    negatives: number;
}

export interface Scan {
    tool: { name: string; version: string; engine: string };
    path: string;
    sha256: string | null;
    media: {
        kind: "picture" | "video";
        format: string;
        width: number;
        height: number;
        codec?: string;
        decoder?: string;
        encoder?: string;
    } | null;
    verdict: Verdict | null;
    probability: number | null;
    decision_threshold: number | null;
    interval: Interval | null;
    stable: boolean | null;
    detectors: readonly { id: string; weights_sha256: string }[];
    evidence: readonly Evidence[];
    provenance: {
        declared: Declared;
        claims: readonly { declared: Declared; what: string; place: string }[];
        found: readonly string[];
        integrity: string | null;
        trust: string | null;
        contradictions: readonly string[];
        not_checkable: readonly string[];
    } | null;
    metadata: Metadata | null;
    regions: readonly Region[];
    duration_s: number | null;
    segments: readonly Segment[] | null;
    shots: readonly number[] | null;
    frames: readonly Frame[] | null;
    tracks: readonly Track[] | null;
    masks: readonly unknown[] | null;
    operating_point: OperatingPoint | null;
    error: { code: string; message: string } | null;
}

export interface Problem {
    title: string;
    status: number;
    detail: string;
    code: string;
    request_id: string;
    parts?: readonly string[];
}

export type Scope = "scan" | "read" | "admin";

export interface Me {
    key: string;
    name: string;
    owner: string;
    scopes: readonly Scope[];
}

export interface ApiKey {
    id: string;
    name: string;
    owner: string;
    scopes: readonly Scope[];
    rate: number | null;
    created: string;
    expires: string | null;
    revoked: string | null;
    used: string | null;
}

export interface Remark {
    id: string;
    report: string;
    says: "authentic" | "generated" | "manipulated";
    note: string;
    created: string;
}

export function isVideo(r: Scan): boolean {
    return r.media?.kind === "video";
}

export function isFinal(state: JobState): boolean {
    return state === "succeeded" || state === "failed" || state === "cancelled";
}
