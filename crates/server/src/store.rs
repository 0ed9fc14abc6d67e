//! Media and the pictures of reports: a content-addressed store on a disk, in a bucket or in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Place;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bucket;
use crate::settings::{Settings, SettingsError};
use crate::state::{State, StateError, hex, now};

/// Most memory that media take without a store on disk, in bytes.
const MOST_MEMORY: u64 = 1 << 30;
/// First bytes of a file, by which its format is told.
const HEAD: usize = 512;
/// Bytes of one part of an upload to a bucket, which takes no less than 5 MiB unless it is the last.
const PART: usize = 8 << 20;
/// Longest time that writing a few bytes may take before the store counts as away.
const PROBE: Duration = Duration::from_secs(5);

/// Why media could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// They are not kept any more.
    #[error("the file is not kept any more")]
    Gone,
    /// Memory for media is used up.
    #[error("media in memory take {limit} bytes already")]
    Full {
        /// The bound.
        limit: u64,
    },
    /// The store failed.
    #[error("media: {reason}: {0}", reason = bucket::reason(.0))]
    Store(object_store::Error),
    /// The store did not answer.
    #[error("media: no answer within {} s", PROBE.as_secs())]
    Late,
    /// The settings name no store.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The disk failed.
    #[error("media: {0}")]
    Disk(#[from] std::io::Error),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<object_store::Error> for StoreError {
    fn from(e: object_store::Error) -> Self {
        match e {
            // A bucket that is missing is no file that was dropped: it may come back with all files.
            e @ object_store::Error::NotFound { .. } if !bucket::no_bucket(&e) => Self::Gone,
            e => Self::Store(e),
        }
    }
}

impl StoreError {
    /// What clients may know of it.
    pub(crate) fn public(&self) -> &'static str {
        match self {
            Self::Store(e) => bucket::reason(e),
            Self::Late => "it does not answer",
            _ => "it cannot be read or written",
        }
    }
}

/// The store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The folder where the objects are files, so that a video is read where it lies.
    folder: Option<Arc<LocalFileSystem>>,
    incoming: PathBuf,
    in_memory: Option<Arc<Memory>>,
}

/// Bytes that wait or are kept in memory.
#[derive(Debug)]
struct Memory {
    used: AtomicU64,
    limit: u64,
}

impl Memory {
    fn take(&self, bytes: u64) -> Result<(), StoreError> {
        let limit = self.limit;
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                Some(used + bytes).filter(|sum| *sum <= limit)
            })
            .map(drop)
            .map_err(|_| StoreError::Full { limit })
    }

    fn give_back(&self, bytes: u64) {
        let _ = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                Some(used.saturating_sub(bytes))
            });
    }
}

/// Where a file goes while it comes in. What was not stored is gone when it is dropped.
enum Sink {
    Disk(tokio::fs::File, tempfile::TempPath),
    Memory(Vec<u8>, Claim),
}

/// Memory that was taken, given back when it is dropped.
struct Claim {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

/// A file that comes in.
pub(crate) struct Incoming {
    sink: Sink,
    hash: Sha256,
    bytes: u64,
    head: Vec<u8>,
}

/// A file that came in whole.
pub(crate) struct Arrived {
    sink: Sink,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) head: Vec<u8>,
}

impl Incoming {
    /// Appends a part.
    pub(crate) async fn write(&mut self, part: &[u8]) -> Result<(), StoreError> {
        let missing = HEAD.saturating_sub(self.head.len()).min(part.len());
        self.head
            .extend_from_slice(part.get(..missing).unwrap_or_default());
        self.hash.update(part);
        self.bytes += part.len() as u64;
        match &mut self.sink {
            Sink::Disk(file, _) => file.write_all(part).await?,
            Sink::Memory(bytes, claim) => {
                claim.memory.take(part.len() as u64)?;
                claim.bytes += part.len() as u64;
                bytes.extend_from_slice(part);
            }
        }
        Ok(())
    }

    /// Its first bytes.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All has come.
    pub(crate) async fn end(mut self) -> Result<Arrived, StoreError> {
        if let Sink::Disk(file, _) = &mut self.sink {
            file.flush().await?;
        }
        Ok(Arrived {
            sink: self.sink,
            sha256: hex(&self.hash.finalize()),
            bytes: self.bytes,
            head: self.head,
        })
    }
}

impl Store {
    /// Opens the store that the settings name.
    pub(crate) fn open(settings: &Settings) -> Result<Self, StoreError> {
        if settings.no_store {
            return Ok(Self {
                objects: Arc::new(InMemory::new()),
                folder: None,
                incoming: std::env::temp_dir(),
                in_memory: Some(Arc::new(Memory {
                    used: AtomicU64::new(0),
                    limit: settings.keep_media_bytes.min(MOST_MEMORY),
                })),
            });
        }
        let incoming = settings.data_dir.join("incoming");
        std::fs::create_dir_all(&incoming)?;
        if !settings.media.is_empty() {
            return Ok(Self {
                objects: bucket::open(settings)?,
                folder: None,
                incoming,
                in_memory: None,
            });
        }
        let root = settings.data_dir.join("media");
        std::fs::create_dir_all(&root)?;
        let folder = LocalFileSystem::new_with_prefix(&root)?
            .with_automatic_cleanup(true)
            .with_fsync(true);
        let folder = Arc::new(folder);
        Ok(Self {
            objects: Arc::clone(&folder) as Arc<dyn ObjectStore>,
            folder: Some(folder),
            incoming,
            in_memory: None,
        })
    }

    /// Begins a file.
    pub(crate) fn incoming(&self) -> Result<Incoming, StoreError> {
        let sink = match &self.in_memory {
            Some(memory) => Sink::Memory(
                Vec::new(),
                Claim {
                    memory: Arc::clone(memory),
                    bytes: 0,
                },
            ),
            None => {
                let file = tempfile::Builder::new()
                    .prefix("upload-")
                    .tempfile_in(&self.incoming)?;
                let (file, path) = file.into_parts();
                Sink::Disk(file.into(), path)
            }
        };
        Ok(Incoming {
            sink,
            hash: Sha256::new(),
            bytes: 0,
            head: Vec::new(),
        })
    }

    /// Deletes what a server left behind that was killed while files came in.
    pub(crate) fn sweep_incoming(&self) {
        if self.in_memory.is_some() {
            return;
        }
        for entry in std::fs::read_dir(&self.incoming)
            .into_iter()
            .flatten()
            .flatten()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// Stores a file, if it is not there; its place.
    pub(crate) async fn keep(&self, state: &State, arrived: Arrived) -> Result<String, StoreError> {
        if let Some(place) = state.use_media(&arrived.sha256, now()).await? {
            return Ok(place);
        }
        let mut random = [0; 4];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut random);
        let shelf = arrived.sha256.get(..2).unwrap_or_default();
        let place = format!("media/{shelf}/{}-{}", arrived.sha256, hex(&random));
        match arrived.sink {
            Sink::Disk(_, path) => self.copy_in(&path, &place).await?,
            Sink::Memory(bytes, mut claim) => {
                self.put(&place, bytes).await?;
                // From here on it is the object's.
                claim.bytes = 0;
            }
        }
        let bytes = i64::try_from(arrived.bytes).unwrap_or(i64::MAX);
        let stands = state
            .note_media(&arrived.sha256, &place, bytes, now())
            .await?;
        if stands != place {
            self.delete(&place).await?;
        }
        Ok(stands)
    }

    /// Copies a file into the store. What was not stored whole is not there.
    async fn copy_in(&self, from: &Path, place: &str) -> Result<(), StoreError> {
        let mut file = tokio::fs::File::open(from).await?;
        let first = part(&mut file).await?;
        let place = Place::from(place);
        if first.len() < PART {
            return put(&self.objects, &place, first).await;
        }
        let mut upload = self.objects.put_multipart(&place).await.map_err(written)?;
        let copied = copy_parts(upload.as_mut(), &mut file, first).await;
        if copied.is_err()
            && let Err(e) = upload.abort().await
        {
            tracing::warn!(error = %e, "parts of an upload stay in the store");
        }
        copied
    }

    /// Stores a small thing at a place of its own.
    pub(crate) async fn put(&self, place: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        put(&self.objects, &Place::from(place), bytes).await
    }

    /// Whether the store can be written and read.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        if self.in_memory.is_some() {
            return Ok(());
        }
        let mut random = [0; 8];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut random);
        let place = format!("probe/{}", hex(&random));
        let tried = async {
            // Bodies are received there, whatever keeps them afterwards.
            self.incoming()?.write(&random).await?;
            self.put(&place, random.to_vec()).await?;
            let read = self.read(&place).await;
            self.delete(&place).await?;
            read.map(drop)
        };
        tokio::time::timeout(PROBE, tried)
            .await
            .unwrap_or(Err(StoreError::Late))
    }

    /// All bytes at a place.
    pub(crate) async fn read(&self, place: &str) -> Result<Bytes, StoreError> {
        Ok(self.objects.get(&Place::from(place)).await?.bytes().await?)
    }

    /// The bytes at a place, one after another.
    pub(crate) async fn stream(
        &self,
        place: &str,
    ) -> Result<
        (
            u64,
            impl futures_util::Stream<Item = Result<Bytes, object_store::Error>> + use<>,
        ),
        StoreError,
    > {
        let found = self.objects.get(&Place::from(place)).await?;
        Ok((found.meta.size, found.into_stream()))
    }

    /// A file with the bytes at a place: the object itself, or a copy that goes when it is dropped.
    pub(crate) async fn file(&self, place: &str) -> Result<Lent, StoreError> {
        if let Some(folder) = &self.folder {
            let path = folder.path_to_filesystem(&Place::from(place))?;
            return if path.is_file() {
                Ok(Lent::Own(path))
            } else {
                Err(StoreError::Gone)
            };
        }
        let (file, path) = tempfile::Builder::new()
            .prefix("media-")
            .tempfile_in(&self.incoming)?
            .into_parts();
        let mut file = tokio::fs::File::from(file);
        let mut parts = self.objects.get(&Place::from(place)).await?.into_stream();
        while let Some(part) = parts.try_next().await? {
            file.write_all(&part).await?;
        }
        file.flush().await?;
        Ok(Lent::Copy(path))
    }

    /// Deletes what is at a place; nothing there is no fault.
    pub(crate) async fn delete(&self, place: &str) -> Result<(), StoreError> {
        let at = Place::from(place);
        if let Some(memory) = self
            .in_memory
            .as_ref()
            .filter(|_| place.starts_with("media/"))
            && let Ok(found) = self.objects.head(&at).await
        {
            memory.give_back(found.size);
        }
        match self.objects.delete(&at).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Deletes the pictures of a report.
    pub(crate) async fn delete_report(&self, report: &str) -> Result<(), StoreError> {
        let prefix = Place::from(format!("reports/{report}"));
        let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await?;
        for object in found {
            self.delete(object.location.as_ref()).await?;
        }
        Ok(())
    }

    /// Deletes media that nobody knows and that are older than an hour: what a server stored just before it was killed.
    pub(crate) async fn sweep(&self, state: &State) -> Result<usize, StoreError> {
        let found: Vec<_> = self
            .objects
            .list(Some(&Place::from("media")))
            .try_collect()
            .await?;
        // Asked after the list was made, so that what was stored meanwhile is known.
        let known = state.places().await?;
        let hour_ago = now() - 3_600_000;
        let mut gone = 0;
        for object in found {
            let place = object.location.as_ref();
            if !known.contains(place) && object.last_modified.timestamp_millis() < hour_ago {
                self.delete(place).await?;
                gone += 1;
            }
        }
        Ok(gone)
    }
}

/// The next bytes of a file: a part of an upload, less of it only at the end.
async fn part(file: &mut tokio::fs::File) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    file.take(PART as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn copy_parts(
    upload: &mut dyn MultipartUpload,
    file: &mut tokio::fs::File,
    mut next: Vec<u8>,
) -> Result<(), StoreError> {
    while !next.is_empty() {
        upload.put_part(next.into()).await.map_err(written)?;
        next = part(file).await?;
    }
    upload.complete().await.map_err(written)?;
    Ok(())
}

async fn put(objects: &dyn ObjectStore, place: &Place, bytes: Vec<u8>) -> Result<(), StoreError> {
    objects
        .put(place, PutPayload::from(bytes))
        .await
        .map_err(written)?;
    Ok(())
}

/// A fault of writing, where nothing can be gone.
fn written(e: object_store::Error) -> StoreError {
    StoreError::Store(e)
}

/// A file that is lent for reading.
pub(crate) enum Lent {
    /// The object itself.
    Own(PathBuf),
    /// A copy.
    Copy(tempfile::TempPath),
}

impl Lent {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Copy(path) => path,
        }
    }
}
