// What the service told the page about itself, in attributes of the element that the page is drawn into.

const root = document.getElementById("app");
const number = (name: string) => Number(root?.dataset[name] ?? "");

export const limits = {
    /** Largest picture in bytes. */
    picture: number("maxBytes") || 64 * 2 ** 20,
    /** Largest video in bytes. */
    video: number("maxVideoBytes") || 2 ** 30,
};
