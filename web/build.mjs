// Bundles the page into the folder that the program embeds: `npm run build`, or `node build.mjs FOLDER`.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../crates/server/assets"));
await mkdir(out, { recursive: true });

const result = await build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx", "app.css": "src/style.css" },
    outdir: out,
    entryNames: "[name]",
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    legalComments: "none",
    loader: { ".svg": "copy" },
    metafile: true,
    write: false,
});
for (const file of result.outputFiles) {
    const name = file.path.slice(out.length + 1).replace(".css.css", ".css");
    await writeFile(join(out, name), file.contents);
}
await writeFile(join(out, "icon.svg"), await readFile(join(here, "src/icon.svg")));

// Licences of what the bundle holds go with it.
const packages = new Set();
for (const input of Object.keys(result.metafile.inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (name) packages.add(name);
}
let text = "The page of realscope serve holds code of these packages.\n";
for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    if (!["MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"].includes(about.license)) {
        throw new Error(`${name} has the licence ${about.license}, which is not on the list of permissive ones`);
    }
    const licence = await readFile(join(folder, "LICENSE"), "utf8");
    text += `\n${"=".repeat(72)}\n${name} ${about.version} (${about.license})\n\n${licence.trim()}\n`;
}
await writeFile(join(out, "third-party.txt"), text);
