// What a screen reader says of things that happen elsewhere on the page.
import { Store } from "./store.ts";

export const said = new Store("");

export function say(text: string): void {
    said.set(text);
}
