//! The two forms of a report: a page, and a PDF where the program can make one.

use super::page::{self, Parts};
use super::{CustodyError, Extract};
use crate::report::Figure;

#[cfg(feature = "pdf")]
use super::pdf;

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page (HTML).
    Html,
    /// A document (PDF); made and read only by a program with the feature `pdf`.
    Pdf,
}

/// How every PDF begins.
const PDF: &[u8] = b"%PDF-";

impl Form {
    /// Form of a report, by its first bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(PDF) {
            Self::Pdf
        } else {
            Self::Html
        }
    }

    /// What the extract gives, with the figures of each item: all that stands ahead of it.
    pub(super) fn page(
        self,
        extract: &Extract,
        figures: &[Vec<Figure>],
    ) -> Result<Vec<u8>, CustodyError> {
        match self {
            Self::Html => Ok(page::page(extract, figures).into_bytes()),
            #[cfg(feature = "pdf")]
            Self::Pdf => pdf::document(extract, figures),
            #[cfg(not(feature = "pdf"))]
            Self::Pdf => Err(CustodyError::NoPdf),
        }
    }

    /// The page with its extract and the signature of it.
    pub(super) fn sealed(
        self,
        page: &[u8],
        extract: &str,
        signature: &[u8],
    ) -> Result<Vec<u8>, CustodyError> {
        match self {
            Self::Html => Ok(page::sealed(page, extract, signature)),
            #[cfg(feature = "pdf")]
            Self::Pdf => Ok(pdf::sealed(page, extract, signature)),
            #[cfg(not(feature = "pdf"))]
            Self::Pdf => Err(CustodyError::NoPdf),
        }
    }

    /// Takes a report apart.
    pub(super) fn parts(self, bytes: &[u8]) -> Result<Parts<'_>, CustodyError> {
        match self {
            Self::Html => {
                let text = std::str::from_utf8(bytes);
                page::parts(text.map_err(|e| CustodyError::NotAReport(e.to_string()))?)
            }
            #[cfg(feature = "pdf")]
            Self::Pdf => pdf::parts(bytes),
            #[cfg(not(feature = "pdf"))]
            Self::Pdf => Err(CustodyError::NoPdf),
        }
    }

    /// The JPEGs of a page, in order.
    pub(super) fn jpegs(self, page: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Html => page::jpegs(&String::from_utf8_lossy(page)).collect(),
            #[cfg(feature = "pdf")]
            Self::Pdf => pdf::jpegs(page).collect(),
            #[cfg(not(feature = "pdf"))]
            Self::Pdf => Vec::new(),
        }
    }
}
