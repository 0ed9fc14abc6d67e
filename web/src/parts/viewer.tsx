// A picture with its map and its forensic layers: opacity, zoom to native pixels, moving by hand and by keys.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { load } from "../api.ts";
import { t } from "../messages/index.ts";
import type { Region, Scan } from "../record.ts";
import { isVideo } from "../record.ts";
import * as words from "../words.ts";
import { useSource } from "./basics.tsx";

export const LAYERS = ["picture", "map", "spectrum", "npr", "ela", "noise", "ghost"] as const;
export type Layer = (typeof LAYERS)[number];

/** Where one looks: how large, and which point of the picture is in the middle (0 to 1). */
export interface Look {
    zoom: "fit" | number;
    x: number;
    y: number;
}

export const WHOLE: Look = { zoom: "fit", x: 0.5, y: 0.5 };

/** Zoom that shows one pixel of the picture as one of the screen. */
const native = () => 1 / devicePixelRatio;
const STEPS = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16];

function step(now: number, direction: 1 | -1): number {
    const level = now / native();
    const next =
        direction > 0 ? STEPS.find((s) => s > level * 1.01) : STEPS.findLast((s) => s < level * 0.99);
    return (next ?? level) * native();
}

interface Size {
    width: number;
    height: number;
}

/** Formats that browsers draw themselves. */
const DRAWN = ["jpeg", "png", "webp", "gif", "avif", "bmp"];

/** The file itself, where a browser draws it at its full size; its address is loaded when it is first wanted. */
function useOriginal(report: string, scan: Scan, wanted: boolean): string | null {
    const [address, set] = useState<string | null>(null);
    const media = scan.media;
    const can = media !== null && !isVideo(scan) && !scan.path.includes("#") && DRAWN.includes(media.format.toLowerCase());
    useEffect(() => {
        if (!wanted || !can) return;
        const stop = new AbortController();
        let made = "";
        load(`/v1/reports/${report}/media`, stop.signal)
            .then(async (blob) => {
                made = URL.createObjectURL(new Blob([blob], { type: `image/${media.format.toLowerCase()}` }));
                const image = new Image();
                image.src = made;
                await image.decode();
                const fits = image.naturalWidth === media.width && image.naturalHeight === media.height;
                if (fits && !stop.signal.aborted) set(made);
            })
            // It is not kept any more, or cannot be drawn: the report's own picture stays.
            .catch(() => undefined);
        return () => {
            stop.abort();
            set(null);
            if (made) URL.revokeObjectURL(made);
        };
    }, [report, wanted && can]);
    return address;
}

export function Viewer(props: {
    report: string;
    scan: Scan;
    layer: Layer;
    opacity: number;
    look: Look;
    onLook: (look: Look) => void;
    windows: boolean;
    onMissing?: () => void;
    label: string;
}) {
    const { report, scan, layer, look, onLook } = props;
    const [natural, setNatural] = useState<Size | null>(null);
    const [frame, setFrame] = useState<Size>({ width: 0, height: 0 });
    const [missing, setMissing] = useState(false);
    const stage = useRef<HTMLDivElement>(null);
    const own = useRef(false);
    const overlay = layer === "picture" ? null : `/v1/reports/${report}/pictures/${layer}.png`;
    const base = useSource(layer === "spectrum" ? null : `/v1/reports/${report}/pictures/picture.jpg`);
    const over = useSource(overlay);
    const original = useOriginal(report, scan, look.zoom !== "fit");
    const full = scan.media ?? natural;

    useEffect(() => setMissing(false), [overlay]);
    useEffect(() => {
        if (base.error) props.onMissing?.();
    }, [base.error]);
    useEffect(() => {
        if (over.error) setMissing(true);
    }, [over.error]);
    useLayoutEffect(() => {
        const element = stage.current;
        if (!element) return;
        const watch = new ResizeObserver(() => setFrame({ width: element.clientWidth, height: element.clientHeight }));
        watch.observe(element);
        setFrame({ width: element.clientWidth, height: element.clientHeight });
        return () => watch.disconnect();
    }, []);

    const size = layer === "spectrum" ? (natural ?? { width: 512, height: 512 }) : (full ?? { width: 4, height: 3 });
    const fit = Math.min(frame.width / size.width, frame.height / size.height) || 0;
    // A small picture is not blown up to fill the stage; it may be by hand.
    const zoom = look.zoom === "fit" ? Math.min(fit, Math.max(1, native())) : look.zoom;
    const [width, height] = [size.width * zoom, size.height * zoom];

    useLayoutEffect(() => {
        const element = stage.current;
        if (!element) return;
        own.current = true;
        element.scrollLeft = look.x * width - frame.width / 2;
        element.scrollTop = look.y * height - frame.height / 2;
        const timer = requestAnimationFrame(() => (own.current = false));
        return () => cancelAnimationFrame(timer);
    }, [look.x, look.y, width, height, frame.width, frame.height]);

    const scrolled = () => {
        const element = stage.current;
        if (!element || own.current || look.zoom === "fit") return;
        const middle = (at: number, shown: number, whole: number) => (whole <= shown ? 0.5 : (at + shown / 2) / whole);
        onLook({
            zoom: look.zoom,
            x: middle(element.scrollLeft, frame.width, width),
            y: middle(element.scrollTop, frame.height, height),
        });
    };
    const keyed = (e: KeyboardEvent) => {
        if (e.ctrlKey || e.metaKey || e.altKey) return;
        if (e.key === "+" || e.key === "=") onLook({ ...look, zoom: step(zoom, 1) });
        else if (e.key === "-") onLook({ ...look, zoom: step(zoom, -1) });
        else if (e.key === "0") onLook(WHOLE);
        else if (e.key === "1") onLook({ ...look, zoom: native() });
        else return;
        e.preventDefault();
    };
    const drag = (e: PointerEvent) => {
        const element = stage.current;
        if (!element || e.pointerType !== "mouse" || e.button !== 0) return;
        let [x, y] = [e.clientX, e.clientY];
        const move = (m: PointerEvent) => {
            element.scrollBy(x - m.clientX, y - m.clientY);
            [x, y] = [m.clientX, m.clientY];
        };
        const end = () => {
            removeEventListener("pointermove", move);
            element.classList.remove("held");
        };
        element.classList.add("held");
        addEventListener("pointermove", move);
        addEventListener("pointerup", end, { once: true });
        e.preventDefault();
        element.focus({ preventScroll: true });
    };
    const sharp = zoom > native() * 1.5 ? "sharp" : "";
    const solid = layer === "spectrum" ? 1 : props.opacity;
    return (
        <div class="viewer">
            <div
                ref={stage}
                class={`stage ${look.zoom === "fit" ? "" : "large"}`}
                role="group"
                aria-label={props.label}
                tabIndex={0}
                style={{
                    aspectRatio: `${size.width} / ${size.height}`,
                    // Around a small picture there is no empty room.
                    maxHeight: look.zoom === "fit" ? `min(68vh, 40rem, max(12rem, ${size.height}px))` : "",
                }}
                onScroll={scrolled}
                onKeyDown={keyed}
                onPointerDown={drag}
            >
                <div class="sheet" style={{ width: `${width}px`, height: `${height}px` }}>
                    {base.value && layer !== "spectrum" && (
                        <img
                            class={sharp}
                            src={original ?? base.value}
                            data-original={original ? "yes" : "no"}
                            alt={t(isVideo(scan) ? "viewer.alt.frame" : "viewer.alt.picture")}
                            draggable={false}
                            onLoad={(e) => {
                                const { naturalWidth, naturalHeight } = e.currentTarget;
                                setNatural({ width: naturalWidth, height: naturalHeight });
                            }}
                            onError={() => props.onMissing?.()}
                        />
                    )}
                    {over.value && !missing && (
                        <img
                            class={`over ${sharp}`}
                            src={over.value}
                            data-layer={layer}
                            alt={layer === "spectrum" ? t("viewer.alt.spectrum") : t("viewer.alt.layer", { layer: t(`viewer.${layer}`) })}
                            draggable={false}
                            style={{ opacity: solid }}
                            onLoad={(e) => {
                                const { naturalWidth, naturalHeight } = e.currentTarget;
                                if (layer === "spectrum") setNatural({ width: naturalWidth, height: naturalHeight });
                            }}
                            onError={() => setMissing(true)}
                        />
                    )}
                    {props.windows &&
                        layer !== "spectrum" &&
                        scan.regions.map((region) => <Window key={`${region.x},${region.y}`} region={region} size={size} />)}
                </div>
            </div>
            {missing && <p class="notice">{t("viewer.absent")}</p>}
            <ZoomBar look={look} zoom={zoom} onLook={onLook} />
        </div>
    );
}

function Window({ region, size }: { region: Region; size: Size }) {
    const share = (value: number, whole: number) => `${(100 * value) / whole}%`;
    return (
        <div
            class="window"
            style={{
                left: share(region.x, size.width),
                top: share(region.y, size.height),
                width: share(region.width, size.width),
                height: share(region.height, size.height),
            }}
        >
            {region.probability !== null && <span>{t("viewer.window", { p: words.percent(region.probability) })}</span>}
        </div>
    );
}

function ZoomBar({ look, zoom, onLook }: { look: Look; zoom: number; onLook: (look: Look) => void }) {
    const level = Math.round((100 * zoom) / native());
    return (
        <div class="row zoom" role="group" aria-label={t("viewer.zoom")}>
            <button type="button" aria-pressed={look.zoom === "fit"} onClick={() => onLook(WHOLE)}>
                {t("viewer.zoom.fit")}
            </button>
            <button
                type="button"
                aria-pressed={look.zoom === native()}
                onClick={() => onLook({ ...look, zoom: native() })}
            >
                {t("viewer.zoom.native")}
            </button>
            <button
                type="button"
                class="square"
                aria-label={t("viewer.zoom.out")}
                onClick={() => onLook({ ...look, zoom: step(zoom, -1) })}
            >
                −
            </button>
            <button
                type="button"
                class="square"
                aria-label={t("viewer.zoom.in")}
                onClick={() => onLook({ ...look, zoom: step(zoom, 1) })}
            >
                +
            </button>
            <output class="soft">{t("viewer.zoom.at", { percent: `${level}%` })}</output>
        </div>
    );
}

/** Tabs of the layers; arrow keys go from one to the next. */
export function LayerTabs(props: { layers: readonly Layer[]; layer: Layer; panel: string; onLayer: (layer: Layer) => void }) {
    const { layers, layer, onLayer } = props;
    const tabs = useRef<HTMLDivElement>(null);
    const keyed = (e: KeyboardEvent) => {
        const at = layers.indexOf(layer);
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: layers.length - 1 }[e.key];
        if (to === undefined) return;
        e.preventDefault();
        const next = layers[(to + layers.length) % layers.length];
        if (!next) return;
        onLayer(next);
        tabs.current?.querySelector<HTMLElement>(`#${props.panel}-${next}`)?.focus();
    };
    return (
        <div class="tabs" role="tablist" aria-label={t("viewer.layers")} ref={tabs} onKeyDown={keyed}>
            {layers.map((name) => (
                <button
                    key={name}
                    type="button"
                    role="tab"
                    id={`${props.panel}-${name}`}
                    aria-selected={name === layer}
                    aria-controls={props.panel}
                    tabIndex={name === layer ? 0 : -1}
                    onClick={() => onLayer(name)}
                >
                    {t(`viewer.${name}`)}
                </button>
            ))}
        </div>
    );
}

export function Opacity({ value, onValue }: { value: number; onValue: (value: number) => void }) {
    const id = useId();
    return (
        <div class="row slider">
            <label for={id}>{t("viewer.opacity")}</label>
            <input
                id={id}
                type="range"
                min="0"
                max="100"
                step="5"
                value={Math.round(100 * value)}
                onInput={(e) => onValue(Number(e.currentTarget.value) / 100)}
            />
            <output for={id}>{Math.round(100 * value)}%</output>
        </div>
    );
}

export function Legend() {
    return (
        <div class="legend" aria-hidden="true">
            <span>{t("viewer.legend.low")}</span>
            <i />
            <span>{t("viewer.legend.high")}</span>
        </div>
    );
}

/** How opaque a layer is at first: a map lets the picture through, the others replace it. */
export function usual(layer: Layer): number {
    return layer === "map" ? 0.5 : 1;
}

/** Layers that a report may have. */
export function layersOf(scan: Scan): readonly Layer[] {
    return LAYERS.filter((layer) => layer !== "map" || scan.masks !== null);
}

/** The picture of a report with everything that belongs to it. */
export function PictureCard({ report, scan, draw }: { report: string; scan: Scan; draw: (() => void) | null }) {
    const layers = layersOf(scan);
    const [layer, setLayer] = useState<Layer>(layers.includes("map") ? "map" : "picture");
    const [opacity, setOpacity] = useState(usual(layer));
    const [look, setLook] = useState<Look>(WHOLE);
    const [windows, setWindows] = useState(false);
    const [undrawn, setUndrawn] = useState(false);
    const panel = useId();
    const title = t(isVideo(scan) ? "viewer.title.video" : "viewer.title");
    if (undrawn) {
        return (
            <section class="card" aria-label={title}>
                <h2>{title}</h2>
                <p>{t("viewer.undrawn")}</p>
                {draw && (
                    <button type="button" onClick={draw}>
                        {t("viewer.draw")}
                    </button>
                )}
            </section>
        );
    }
    const chosen = (next: Layer) => {
        setLayer(next);
        setOpacity(usual(next));
        if ((next === "spectrum") !== (layer === "spectrum")) setLook(WHOLE);
    };
    return (
        <section class="card" aria-label={title}>
            <h2>{title}</h2>
            <LayerTabs layers={layers} layer={layer} panel={panel} onLayer={chosen} />
            <div id={panel} role="tabpanel" aria-labelledby={`${panel}-${layer}`}>
                <Viewer
                    report={report}
                    scan={scan}
                    layer={layer}
                    opacity={opacity}
                    look={look}
                    onLook={setLook}
                    windows={windows}
                    onMissing={() => setUndrawn(true)}
                    label={t("viewer.stage")}
                />
                <div class="under">
                    {layer !== "picture" && layer !== "spectrum" && <Opacity value={opacity} onValue={setOpacity} />}
                    {layer === "map" && <Legend />}
                    {scan.regions.length > 0 && layer !== "spectrum" && (
                        <label class="check">
                            <input type="checkbox" checked={windows} onChange={(e) => setWindows(e.currentTarget.checked)} />
                            {t("viewer.windows")}
                        </label>
                    )}
                </div>
                <p class="soft">{t(`viewer.about.${layer}`)}</p>
            </div>
        </section>
    );
}
