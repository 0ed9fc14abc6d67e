// The time of a video: its scores as a curve, a scrubber over it, the player, segments and faces.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { load } from "../api.ts";
import { bytes, clock, count, t } from "../messages/index.ts";
import type { Frame, Job, Scan, Segment } from "../record.ts";
import { uploads } from "../uploads.ts";
import * as words from "../words.ts";
import { Chip } from "./basics.tsx";

/** Videos up to this size are loaded without being asked for, in bytes. */
const SMALL = 64 * 2 ** 20;
const [WIDTH, HEIGHT] = [1000, 160];

const accused = (s: Segment) => s.verdict === "generated" || s.verdict === "manipulated";

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
    const nearest = scored.reduce<Frame | null>(
        (best, f) => (best === null || Math.abs(f.time_s - at) < Math.abs(best.time_s - at) ? f : best),
        null,
    );
    const seek = (time: number) => {
        setAt(time);
        if (video.current) video.current.currentTime = time;
    };
    const now = nearest?.probability == null ? t("film.frame.none") : t("film.frame", { time: clock(nearest.time_s), p: words.percent(nearest.probability) });
    return (
        <section class="card film" aria-labelledby={`${id}-title`}>
            <h2 id={`${id}-title`}>{t("film.title")}</h2>
            <Player report={report} scan={scan} job={job} video={video} onTime={setAt} />
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
            {scan.tracks && scan.tracks.length > 0 && <Tracks scan={scan} length={length} />}
            {scan.segments && scan.segments.length > 0 && <Segments segments={scan.segments} onSeek={seek} />}
        </section>
    );
}

function Tracks({ scan, length }: { scan: Scan; length: number }) {
    const place = (time: number) => `${(100 * time) / Math.max(length, 1e-9)}%`;
    return (
        <>
            <h3>{t("film.tracks")}</h3>
            <ul class="tracks">
                {scan.tracks?.map((track) => (
                    <li key={track.id}>
                        <span>
                            {t("film.track", {
                                n: track.id + 1,
                                start: clock(track.start_s),
                                end: clock(track.end_s),
                                p: track.probability === null ? "–" : words.percent(track.probability),
                            })}
                        </span>
                        <span class="bar" aria-hidden="true">
                            <i style={{ left: place(track.start_s), width: place(track.end_s - track.start_s) }} />
                        </span>
                    </li>
                ))}
            </ul>
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
    onTime: (time: number) => void;
}) {
    const { report, scan, job } = props;
    const [source, setSource] = useState<string | null>(null);
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
    return (
        <video
            ref={props.video}
            class="player"
            src={source}
            controls
            muted
            playsInline
            aria-label={t("film.player")}
            onTimeUpdate={(e) => props.onTime(e.currentTarget.currentTime)}
            onError={() => setState("unplayable")}
        />
    );
}
