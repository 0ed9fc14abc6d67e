//! Media and the pictures of reports: a content-addressed store on a disk or in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Place;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::settings::Settings;
use crate::state::{State, StateError, hex, now};

/// Most memory that media take without a store on disk, in bytes.
const MOST_MEMORY: u64 = 1 << 30;
/// First bytes of a file, by which its format is told.
const HEAD: usize = 512;

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
    #[error("media: {0}")]
    Store(object_store::Error),
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
            object_store::Error::NotFound { .. } => Self::Gone,
            e => Self::Store(e),
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
        let root = settings.data_dir.join("media");
        let incoming = settings.data_dir.join("incoming");
        for folder in [&root, &incoming] {
            std::fs::create_dir_all(folder)?;
        }
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

    async fn copy_in(&self, from: &Path, place: &str) -> Result<(), StoreError> {
        let mut file = tokio::fs::File::open(from).await?;
        let mut out = BufWriter::new(Arc::clone(&self.objects), Place::from(place));
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            if let Err(e) = out.write_all(buffer.get(..read).unwrap_or_default()).await {
                let _ = out.abort().await;
                return Err(e.into());
            }
        }
        Ok(out.shutdown().await?)
    }

    /// Stores a small thing at a place of its own.
    pub(crate) async fn put(&self, place: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.objects
            .put(&Place::from(place), PutPayload::from(bytes))
            .await?;
        Ok(())
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
