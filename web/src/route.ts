// Which view is shown: the part of the address behind `#`, so that the service has one page.
import { Store } from "./store.ts";

export interface Route {
    view: string;
    ids: readonly string[];
}

function read(): Route {
    const [view = "", ...ids] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    return { view, ids };
}

export const route = new Store<Route>(read());

addEventListener("hashchange", () => route.set(read()));

export function go(...parts: string[]): void {
    location.hash = `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function link(...parts: string[]): string {
    return `#/${parts.map(encodeURIComponent).join("/")}`;
}
