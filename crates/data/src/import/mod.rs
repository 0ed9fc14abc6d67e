//! Data sets as they lie on users' disks, read unchanged into a [`Manifest`].
//!
//! Every importer converts polarity to ours (1 = generated or manipulated), makes video ids unique
//! over the set, and quarantines what cannot be a picture or video (empty, of another content, cut
//! short) instead of stopping. Facts on the layouts are those of the data sets' papers, read-mes
//! and issue threads.
//!
//! Open first: `layouts.rs` for what can be read, `reader.rs` for what importers share. A new layout is a
//! function in a file here and a line in [`LAYOUTS`].

mod deepfakebench;
mod dfdc;
mod dgm4;
mod faceforensics;
mod folders;
mod layouts;
mod lists;
mod reader;

use std::path::Path;

use crate::manifest::{Manifest, ManifestError};

pub use layouts::{LAYOUTS, Layout};
pub use reader::Options;

use reader::Import;

/// Reads `root` (a folder, or the file that lists the set) in the named layout.
///
/// # Errors
/// [`ManifestError`] when the layout is unknown, the root cannot be read or nothing in it fits.
pub fn import(layout: &str, root: &Path, options: &Options) -> Result<Manifest, ManifestError> {
    let found = LAYOUTS.iter().find(|l| l.name == layout).ok_or_else(|| {
        let names: Vec<&str> = LAYOUTS.iter().map(|l| l.name).collect();
        ManifestError::file(
            root,
            format!("unknown layout `{layout}`; known: {}", names.join(", ")),
        )
    })?;
    if !root.exists() {
        return Err(ManifestError::file(root, "no such file or folder"));
    }
    let mut import = Import::new(root, options);
    (found.read)(&mut import)?;
    let mut manifest = import.manifest;
    if manifest.items.is_empty() {
        return Err(ManifestError::file(
            root,
            format!(
                "no item in layout `{layout}` ({}); {} files quarantined",
                found.summary,
                manifest.quarantined.len()
            ),
        ));
    }
    manifest.items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(manifest)
}
