// A value that views follow.
import { useEffect, useState } from "preact/hooks";

export class Store<T> {
    #value: T;
    readonly #listeners = new Set<() => void>();

    constructor(value: T) {
        this.#value = value;
    }

    get value(): T {
        return this.#value;
    }

    set(value: T): void {
        this.#value = value;
        for (const listener of [...this.#listeners]) listener();
    }

    listen(listener: () => void): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }
}

/** The value of a store; the view is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
    const [value, show] = useState(store.value);
    useEffect(() => {
        show(store.value);
        return store.listen(() => show(store.value));
    }, [store]);
    return value;
}
