// The frame of the page: header, views, footer.
import { useEffect } from "preact/hooks";
import { ask, key, refused } from "./api.ts";
import { t } from "./messages/index.ts";
import { Title } from "./parts/basics.tsx";
import { link, route } from "./route.ts";
import { said } from "./say.ts";
import { useStore } from "./store.ts";
import { choose, theme } from "./theme.ts";
import type { Theme } from "./theme.ts";
import { CompareView } from "./views/compare.tsx";
import { HistoryView } from "./views/history.tsx";
import { JobView } from "./views/job.tsx";
import { KeyWanted, KeysView } from "./views/keys.tsx";
import { ScanView } from "./views/scan.tsx";

const VIEWS = ["", "history", "keys"] as const;
const NAMES = { "": "nav.scan", history: "nav.history", keys: "nav.keys" } as const;

function View() {
    const { view, ids } = useStore(route);
    const own = useStore(key);
    // A key is asked for in place of the view, and the view comes back with it.
    if (useStore(refused)) return <KeyWanted />;
    const [id = ""] = ids;
    switch (view) {
        case "":
            return <ScanView key={own} />;
        case "job":
            return <JobView key={`${own} ${id}`} id={id} />;
        case "history":
            return <HistoryView key={own} picked={id || null} />;
        case "compare":
            return <CompareView key={own} ids={ids} />;
        case "keys":
            return <KeysView key={own} />;
        default:
            return (
                <>
                    <Title text={t("error.no_page")} />
                    <p>
                        <a href={link("")}>{t("nav.scan")}</a>
                    </p>
                </>
            );
    }
}

export function App() {
    const here = useStore(route).view;
    const colours = useStore(theme);
    const news = useStore(said);
    useEffect(() => {
        // Whether a key is needed is known before the first file is sent.
        ask("/v1/me").catch(() => undefined);
    }, []);
    return (
        <>
            <a
                class="skip"
                href="#content"
                onClick={(e) => {
                    // The part behind `#` names the view.
                    e.preventDefault();
                    document.getElementById("content")?.focus();
                }}
            >
                {t("app.skip")}
            </a>
            <header>
                <div class="bar">
                    <a class="brand" href={link("")}>
                        <img src="/assets/icon.svg" alt="" width="28" height="28" />
                        {t("app.name")}
                    </a>
                    <nav aria-label={t("app.menu")}>
                        {VIEWS.map((view) => (
                            <a key={view} href={link(view)} aria-current={here === view ? "page" : undefined}>
                                {t(NAMES[view])}
                            </a>
                        ))}
                    </nav>
                    <label class="theme">
                        <span class="hidden">{t("theme.label")}</span>
                        <select value={colours} onChange={(e) => choose(e.currentTarget.value as Theme)}>
                            {(["auto", "light", "dark"] as const).map((name) => (
                                <option key={name} value={name}>
                                    {t(`theme.${name}`)}
                                </option>
                            ))}
                        </select>
                    </label>
                </div>
            </header>
            <main id="content" tabIndex={-1}>
                <View />
            </main>
            <footer>
                <p>{t("app.about")}</p>
                <p>
                    <a href="/docs">{t("app.api")}</a> <a href="/assets/third-party.txt">{t("app.licences")}</a>
                </p>
            </footer>
            <div class="hidden" role="status" aria-live="polite">
                {news}
            </div>
        </>
    );
}
