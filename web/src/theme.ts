// Light or dark: what the system prefers, unless the reader has chosen.
import { Store } from "./store.ts";

export type Theme = "auto" | "light" | "dark";
const KEY = "realscope-theme";

function stored(): Theme {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "auto";
}

export const theme = new Store<Theme>(stored());

export function paint(): void {
    if (theme.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
}

export function choose(to: Theme): void {
    if (to === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, to);
    theme.set(to);
    paint();
}
