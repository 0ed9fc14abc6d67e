// The time of a video: its scores as a curve, a scrubber over it, the player, segments and faces.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { load } from "../api.ts";
import { bytes, clock, count, t } from "../messages/index.ts";
import type { Frame, Job, Scan, Segment, Track, Verdict } from "../record.ts";
import { uploads } from "../uploads.ts";
import * as words from "../words.ts";
import { Chip } from "./basics.tsx";

/** Videos up to this size are loaded without being asked for, in bytes. */
const SMALL = 64 * 2 ** 20;
const [WIDTH, HEIGHT] = [1000, 160];
/** Most faces that are listed. */
const LISTED = 12;
/** Longest that a face is outlined before and after it was seen, in seconds. */
const NEAR = 0.6;

interface Size {
    width: number;
    height: number;
}

const accused = (s: { verdict: Verdict }) => s.verdict === "generated" || s.verdict === "manipulated";

/** The member that is nearest in time. */
function nearestTo<T extends { time_s: number }>(time: number, all: readonly T[]): T | null {
    const apart = (one: T) => Math.abs(one.time_s - time);
    return all.reduce<T | null>((best, one) => (best === null || apart(one) < apart(best) ? one : best), null);
}

/** The curve alone; while a video is scanned, with the frames so far. */
export function Curve(props: {
    frames: readonly Frame[];
    length: number;
    threshold?: number | null;
    segments?: readonly Segment[];
    shots?: readonly number[];
    at?: number;
    onSeek?: (time: number) => void;
}) {
    const length = Math.max(props.length, 1e-9);
    const x = (time: number) => WIDTH * Math.min(Math.max(time / length, 0), 1);
    const y = (p: number) => HEIGHT * (1 - Math.min(Math.max(p, 0), 1));
    const scored = props.frames.filter((f): f is Frame & { probability: number } => f.probability !== null);
    const sorted = [...scored].sort((a, b) => a.time_s - b.time_s);
    const area = useRef<HTMLDivElement>(null);
    const seek = (e: PointerEvent) => {
        const box = area.current?.getBoundingClientRect();
        if (box && e.buttons & 1) props.onSeek?.(Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1) * length);
    };
    const threshold = props.threshold ?? null;
    return (
        <figure class="curve">
            <div class="plot" ref={area} onPointerDown={seek} onPointerMove={seek}>
                <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={t("film.curve.alt")}>
                    {[0.25, 0.5, 0.75].map((p) => (
                        <line key={p} class="grid" x1="0" x2={WIDTH} y1={y(p)} y2={y(p)} />
                    ))}
                    {props.segments?.filter(accused).map((s) => (
                        <rect
                            key={s.start_s}
                            class="accused"
                            x={x(s.start_s)}
                            y="0"
                            width={Math.max(x(s.end_s) - x(s.start_s), 1)}
                            height={HEIGHT}
                        />
                    ))}
                    {props.shots?.map((shot) => (
                        <line key={shot} class="shot" x1={x(shot)} x2={x(shot)} y1="0" y2={HEIGHT} />
                    ))}
                    {threshold !== null && <line class="side" x1="0" x2={WIDTH} y1={y(threshold)} y2={y(threshold)} />}
                    <polyline points={sorted.map((f) => `${x(f.time_s).toFixed(1)},${y(f.probability).toFixed(1)}`).join(" ")} />
                </svg>
                {sorted.map((f) => (
                    <i key={f.index} class="dot" style={{ left: `${x(f.time_s) / 10}%`, top: `${(100 * y(f.probability)) / HEIGHT}%` }} />
                ))}
                {props.at !== undefined && <b class="head" style={{ left: `${x(props.at) / 10}%` }} />}
                {threshold !== null && (
                    <span class="mark" style={{ top: `${(100 * y(threshold)) / HEIGHT}%` }}>
                        {t("film.threshold", { p: words.percent(threshold) })}
                    </span>
                )}
            </div>
            <div class="ends" aria-hidden="true">
                <span>{clock(0)}</span>
                <span>{clock(props.length)}</span>
            </div>
            <figcaption class="soft">{t("film.curve")}</figcaption>
        </figure>
    );
}

export function FilmCard({ scan, job, report }: { scan: Scan; job: Job | null; report: string }) {
    const length = scan.duration_s ?? 0;
    const frames = scan.frames ?? [];
    const [at, setAt] = useState(0);
    const video = useRef<HTMLVideoElement>(null);
    const id = useId();
    const scored = frames.filter((f) => f.probability !== null);
    const nearest = nearestTo(at, scored);
    const faces = (scan.tracks ?? []).filter((track) => track.looks > 0);
    const seek = (time: number) => {
        setAt(time);
        if (video.current) video.current.currentTime = time;
    };
    const now = nearest?.probability == null ? t("film.frame.none") : t("film.frame", { time: clock(nearest.time_s), p: words.percent(nearest.probability) });
    return (
        <section class="card film" aria-labelledby={`${id}-title`}>
            <h2 id={`${id}-title`}>{t("film.title")}</h2>
            <Player report={report} scan={scan} job={job} video={video} at={at} onTime={setAt} />
            <Curve
                frames={frames}
                length={length}
                threshold={scan.decision_threshold}
                segments={scan.segments ?? []}
                shots={scan.shots ?? []}
                at={at}
                onSeek={seek}
            />
            <div class="scrub">
                <label for={id} class="hidden">
                    {t("film.scrub")}
                </label>
                <input
                    id={id}
                    type="range"
                    min="0"
                    max={length}
                    step={length > 60 ? 0.5 : 0.1}
                    value={at}
                    aria-valuetext={`${t("film.at", { time: clock(at), length: clock(length) })}. ${now}`}
                    onInput={(e) => seek(Number(e.currentTarget.value))}
                />
                <p class="row between">
                    <output>{t("film.at", { time: clock(at), length: clock(length) })}</output>
                    <output class="soft">{now}</output>
                </p>
            </div>
            {scan.shots && scan.shots.length > 0 && <p class="soft">{count("film.shots", scan.shots.length)}</p>}
            {faces.length > 0 && <Tracks faces={faces} length={length} onSeek={seek} />}
            {scan.segments && scan.segments.length > 0 && <Segments segments={scan.segments} onSeek={seek} />}
        </section>
    );
}

/** The faces that were scored, those with the highest probability first. */
function Tracks({ faces, length, onSeek }: { faces: readonly Track[]; length: number; onSeek: (time: number) => void }) {
    const place = (time: number) => `${(100 * time) / Math.max(length, 1e-9)}%`;
    const sorted = [...faces].sort((a, b) => (b.probability ?? -1) - (a.probability ?? -1));
    const more = sorted.length - LISTED;
    return (
        <>
            <h3>{t("film.tracks")}</h3>
            <p class="soft">{t("film.tracks.about")}</p>
            <ul class="tracks">
                {sorted.slice(0, LISTED).map((track) => {
                    const n = track.id + 1;
                    const time = t("film.track.time", { start: clock(track.start_s), end: clock(track.end_s) });
                    const p = track.probability === null ? "–" : words.percent(track.probability);
                    return (
                        <li key={track.id}>
                            <div class="row">
                                <b>{t("film.track", { n })}</b>
                                <button
                                    type="button"
                                    class="plain"
                                    aria-label={t("film.track.seek", { n, time })}
                                    onClick={() => onSeek(track.start_s)}
                                >
                                    {time}
                                </button>
                                <Chip verdict={track.verdict} />
                                <span>{t("film.track.p", { p })}</span>
                            </div>
                            <span class="bar" aria-hidden="true">
                                <i
                                    class={accused(track) ? "accused" : ""}
                                    style={{ left: place(track.start_s), width: place(track.end_s - track.start_s) }}
                                />
                            </span>
                            {track.why && <p class="soft">{track.why}</p>}
                        </li>
                    );
                })}
            </ul>
            {more > 0 && <p class="soft">{count("film.tracks.more", more)}</p>}
        </>
    );
}

function Segments({ segments, onSeek }: { segments: readonly Segment[]; onSeek: (time: number) => void }) {
    return (
        <>
            <h3>{t("film.segments")}</h3>
            <div class="scroll" tabIndex={0} role="region" aria-label={t("film.segments")}>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{t("film.segment.time")}</th>
                            <th scope="col">{t("film.segment.verdict")}</th>
                            <th scope="col">{t("film.segment.p")}</th>
                            <th scope="col">{t("film.segment.frames")}</th>
                            <th scope="col">{t("film.segment.why")}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {segments.map((s) => (
                            <tr key={s.start_s}>
                                <td>
                                    <button type="button" class="plain" onClick={() => onSeek(s.start_s)}>
                                        {clock(s.start_s)} – {clock(s.end_s)}
                                    </button>
                                </td>
                                <td>
                                    <Chip verdict={s.verdict} />
                                </td>
                                <td>{s.probability === null ? "–" : words.percent(s.probability)}</td>
                                <td>{s.frames}</td>
                                <td>{s.why ?? ""}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </>
    );
}

const ANIMATIONS = ["gif", "png", "webp", "avif"];

/** Plays the file: the one that this tab has sent, or what the service keeps of it. */
function Player(props: {
    report: string;
    scan: Scan;
    job: Job | null;
    video: { current: HTMLVideoElement | null };
    at: number;
    onTime: (time: number) => void;
}) {
    const { report, scan, job } = props;
    const [source, setSource] = useState<string | null>(null);
    const [shown, setShown] = useState<Size | null>(null);
    const [outlined, setOutlined] = useState(true);
    const [state, setState] = useState<"none" | "wanted" | "gone" | "unplayable">("none");
    const animation = ANIMATIONS.includes(scan.media?.format.toLowerCase() ?? "");
    const size = job?.bytes ?? 0;
    useEffect(() => {
        const stop = new AbortController();
        let address = "";
        const show = (blob: Blob) => {
            address = URL.createObjectURL(blob);
            setSource(address);
        };
        const own = uploads.value.find((u) => u.job?.report === report);
        if (own) show(own.file);
        else if (state === "wanted" || size <= SMALL) {
            const type = animation ? `image/${scan.media?.format.toLowerCase()}` : "video/mp4";
            load(`/v1/reports/${report}/media`, stop.signal).then(
                (blob) => show(new Blob([blob], { type })),
                () => !stop.signal.aborted && setState("gone"),
            );
        }
        return () => {
            stop.abort();
            if (address) URL.revokeObjectURL(address);
        };
    }, [report, state === "wanted"]);
    if (state === "gone") return <p class="notice">{t("film.gone")}</p>;
    if (state === "unplayable") return <p class="notice">{t("film.unplayable")}</p>;
    if (!source) {
        if (size <= SMALL) return null;
        return (
            <p>
                <button type="button" onClick={() => setState("wanted")}>
                    {t("film.load", { size: bytes(size) })}
                </button>
            </p>
        );
    }
    if (animation) return <img class="player" src={source} alt={t("film.player")} onError={() => setState("unplayable")} />;
    const faces = (scan.tracks ?? []).filter((track) => track.boxes.length > 0);
    return (
        <>
            <div class="screen">
                <video
                    ref={props.video}
                    class="player"
                    src={source}
                    controls
                    muted
                    playsInline
                    aria-label={t("film.player")}
                    onLoadedMetadata={(e) => setShown({ width: e.currentTarget.videoWidth, height: e.currentTarget.videoHeight })}
                    onTimeUpdate={(e) => props.onTime(e.currentTarget.currentTime)}
                    onError={() => setState("unplayable")}
                />
                {outlined && shown && scan.media && <Outlines faces={faces} at={props.at} frame={scan.media} shown={shown} />}
            </div>
            {faces.length > 0 && (
                <p class="row">
                    <label class="check">
                        <input type="checkbox" checked={outlined} onChange={(e) => setOutlined(e.currentTarget.checked)} />
                        {t("film.faces.show")}
                    </label>
                    <span class="soft">{t("film.faces.about")}</span>
                </p>
            )}
        </>
    );
}

/**
 * Where the faces are at an instant, over the player. The drawing fits into its box as the video does into the player.
 * `shown` is the size at which the browser plays the video: pixels of a `frame` need not be square.
 */
function Outlines(props: { faces: readonly Track[]; at: number; frame: Size; shown: Size }) {
    const { faces, at, frame, shown } = props;
    const drawing = useRef<SVGSVGElement>(null);
    // How much of the drawing a pixel of the page is, so that labels are as large in any video.
    const [pixel, setPixel] = useState(1);
    useLayoutEffect(() => {
        const element = drawing.current;
        if (!element) return;
        const watch = new ResizeObserver(() => {
            const { width, height } = element.getBoundingClientRect();
            if (width > 0 && height > 0) setPixel(Math.max(shown.width / width, shown.height / height));
        });
        watch.observe(element);
        return () => watch.disconnect();
    }, [shown.width, shown.height]);
    const [wide, high] = [shown.width / frame.width, shown.height / frame.height];
    return (
        <svg
            ref={drawing}
            class="outlines"
            viewBox={`0 0 ${shown.width} ${shown.height}`}
            preserveAspectRatio="xMidYMid meet"
            font-size={13 * pixel}
            aria-hidden="true"
        >
            {faces.map((track) => {
                const box = nearestTo(at, track.boxes);
                if (!box || Math.abs(box.time_s - at) > NEAR) return null;
                const name = String(track.id + 1);
                const [x, y] = [box.x * wide, box.y * high];
                const area = { x, y, width: box.width * wide, height: box.height * high };
                const label = { width: (8 + 8 * name.length) * pixel, height: 18 * pixel };
                // Above the face, or in it where the frame ends.
                const top = Math.max(y - label.height, 0);
                return (
                    <g key={track.id} class={accused(track) ? "accused" : ""}>
                        <rect class="edge" {...area} />
                        <rect class="line" {...area} />
                        <rect class="label" x={x} y={top} {...label} />
                        <text x={x + label.width / 2} y={top + 13.5 * pixel}>
                            {name}
                        </text>
                    </g>
                );
            })}
        </svg>
    );
}
