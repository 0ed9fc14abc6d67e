// Which language the page speaks, and its texts.
import { en } from "./en.ts";

export type Key = keyof typeof en;
export type Messages = Readonly<Record<Key, string>>;
type Plural = { [K in Key]: K extends `${infer P}.other` ? P : never }[Key];
type Values = Readonly<Record<string, string | number>>;

/** One line for each translation. */
const LANGUAGES: Readonly<Record<string, Messages>> = { en };

function pick(wanted: readonly string[]): [string, Messages] {
    for (const tag of wanted) {
        const language = tag.split("-")[0] ?? tag;
        const messages = LANGUAGES[language];
        if (messages) return [language, messages];
    }
    return ["en", en];
}

const [chosen, messages] = pick(navigator.languages);

/** The language of the page, as in `lang`. */
export const language = chosen;

/** Where the reader is, for dates and numbers: English has several ways. */
const place = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;

const plurals = new Intl.PluralRules(language);

/** A text with its values filled in. */
export function t(key: Key, values: Values = {}): string {
    return messages[key].replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}

/** A text that depends on a number. */
export function count(key: Plural, n: number): string {
    const exact = `${key}.${plurals.select(n)}`;
    return t((exact in messages ? exact : `${key}.other`) as Key, { n });
}

/** The text of a code that the service may send, if there is one. */
export function maybe(key: string, values: Values = {}): string | null {
    return key in messages ? t(key as Key, values) : null;
}

/** A number of bytes in words. */
export function bytes(n: number): string {
    const units = ["size.bytes", "size.kib", "size.mib", "size.gib"] as const;
    let [value, unit] = [n, 0];
    while (value >= 1024 && unit + 1 < units.length) {
        value /= 1024;
        unit += 1;
    }
    const rounded = unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
    return t(units[unit] ?? "size.bytes", { n: rounded.toLocaleString(place) });
}

/** An instant as people of this place write it. */
export function when(instant: string): string {
    return new Date(instant).toLocaleString(place, { dateStyle: "medium", timeStyle: "short" });
}

/** A position in a video, as in `film::clock` of the report. */
export function clock(seconds: number): string {
    const tenths = Math.round(10 * Math.max(seconds, 0));
    const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
    const two = (n: number) => String(n).padStart(2, "0");
    const hours = Math.floor(minutes / 60);
    if (hours === 0) return `${minutes}:${two(Math.floor(rest / 10))}.${rest % 10}`;
    return `${hours}:${two(minutes % 60)}:${two(Math.floor(rest / 10))}`;
}
