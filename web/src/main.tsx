// Takes the place of the form that works without a script.
import { render } from "preact";
import { App } from "./app.tsx";
import { language } from "./messages/index.ts";
import { paint } from "./theme.ts";

// This runs ahead of the first drawing, so that no other colours flash up.
paint();
document.documentElement.lang = language;

addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("app");
    if (!root) return;
    root.replaceChildren();
    render(<App />, root);
});
