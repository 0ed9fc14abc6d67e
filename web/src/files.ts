// Files that were chosen, dropped or pasted; folders are walked.

/** Names by which files of folders are taken; the service goes by content. */
const NAMES =
    /\.(jpe?g|jfif|png|apng|webp|gif|bmp|tiff?|ico|jp2|j2k|jpx|psd|avif|jxl|hei[cf]|pdf|svg|dng|cr[23]|nef|arw|orf|rw2|raf|mp4|m4v|mov|avi|mkv|webm|mpe?g|ts|m2ts|3gp|ogv|flv|wmv)$/i;

function isMedia(file: File): boolean {
    return file.type.startsWith("image/") || file.type.startsWith("video/") || NAMES.test(file.name);
}

export interface Gathered {
    files: File[];
    /** Files of folders that are neither pictures nor videos. */
    passed: number;
}

/** Sorts what a folder holds; files that were named themselves are all taken. */
function ofFolder(files: readonly File[]): Gathered {
    const media = files.filter(isMedia);
    return { files: media, passed: files.length - media.length };
}

function entryFile(entry: FileSystemFileEntry): Promise<File> {
    return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function walk(folder: FileSystemDirectoryEntry): Promise<File[]> {
    const reader = folder.createReader();
    const out: File[] = [];
    for (;;) {
        // A reader gives a part at a time, and nothing at the end.
        const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (entries.length === 0) return out;
        for (const entry of entries) {
            if (entry.name.startsWith(".")) continue;
            if (entry.isDirectory) out.push(...(await walk(entry as FileSystemDirectoryEntry)));
            else out.push(await entryFile(entry as FileSystemFileEntry));
        }
    }
}

export async function dropped(data: DataTransfer): Promise<Gathered> {
    // Items are gone once the event is over, so that entries are taken first.
    const entries = [...data.items].filter((i) => i.kind === "file").map((i) => ({ entry: i.webkitGetAsEntry(), file: i.getAsFile() }));
    const all: Gathered = { files: [], passed: 0 };
    for (const { entry, file } of entries) {
        if (entry?.isDirectory) {
            const folder = ofFolder(await walk(entry as FileSystemDirectoryEntry));
            all.files.push(...folder.files);
            all.passed += folder.passed;
        } else if (file) {
            all.files.push(file);
        }
    }
    return all;
}

export function chosenFolder(files: FileList): Gathered {
    return ofFolder([...files].filter((f) => !f.webkitRelativePath.split("/").some((part) => part.startsWith("."))));
}

export function pasted(data: DataTransfer | null): File[] {
    return data ? [...data.files] : [];
}
