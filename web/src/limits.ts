// What the service told the page about itself, in attributes of the element that the page is drawn into.

/** Read when it is wanted: the script runs ahead of that element. */
function number(name: string): number {
    return Number(document.getElementById("app")?.dataset[name] ?? "");
}

export const limits = {
    /** Largest picture in bytes. */
    get picture(): number {
        return number("maxBytes") || 64 * 2 ** 20;
    },
    /** Largest video in bytes. */
    get video(): number {
        return number("maxVideoBytes") || 2 ** 30;
    },
};
