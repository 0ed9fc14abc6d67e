//! One self-contained page of a run: tables that sort, charts drawn here as SVG, the worst mistakes
//! as thumbnails. No script or picture is fetched from anywhere.
//!
//! Open first: [`html`], the page from top to bottom.

mod chart;
mod curves;
mod mistakes;
mod tables;
mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use realscope_metric::Scores;

use crate::summary::{self, Part, Summary};
use crate::table::Table;

pub use mistakes::Pictures;

use chart::COLOURS;
use mistakes::worst;
use tables::{groups_table, measures_table};
use text::escape;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1,h2,h3{line-height:1.2}table{border-collapse:collapse;margin:.6rem 0;width:100%}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left;font-variant-numeric:tabular-nums}
th{cursor:pointer;background:#f4f5f7;position:sticky;top:0}th:hover{background:#e6e9ee}.charts{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-size:.85rem;color:#555;max-width:320px}
.thumbs{display:flex;flex-wrap:wrap;gap:.6rem}.thumbs figure{width:140px}.thumbs img{width:140px;height:140px;object-fit:contain;background:#eee}.thumbs figcaption{overflow-wrap:anywhere}
.note{color:#7a4b00}.q{color:#7a4b00}details{margin:.4rem 0}@media(prefers-color-scheme:dark){body{background:#14171c;color:#e6e8eb}th{background:#22262d}th:hover{background:#2c323b}td,th{border-color:#333}figcaption{color:#aab}.thumbs img{background:#222}.note,.q{color:#f0b85a}}";

const SCRIPT: &str = "document.querySelectorAll('th').forEach(h=>h.addEventListener('click',()=>{const t=h.closest('table'),i=[...h.parentNode.children].indexOf(h),b=t.tBodies[0],d=h.dataset.d=h.dataset.d==='1'?'-1':'1';[...b.rows].sort((x,y)=>{const p=x.cells[i].dataset.v??x.cells[i].textContent,q=y.cells[i].dataset.v??y.cells[i].textContent,m=parseFloat(p),n=parseFloat(q);return d*((isNaN(m)||isNaN(n))?p.localeCompare(q):m-n)}).forEach(r=>b.append(r))}));";

/// The page.
#[must_use]
pub fn html(
    title: &str,
    table: &Table,
    s: &Summary,
    families: &BTreeMap<String, (String, u32)>,
    pictures: Option<&Pictures<'_>>,
) -> String {
    let parts: &[Part] = if s.parts.is_empty() {
        std::slice::from_ref(&s.first)
    } else {
        &s.parts
    };
    let mut out = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1>",
        escape(title)
    );
    out.push_str(&measures_table(s, parts));
    let plain: Vec<&Part> = parts
        .iter()
        .filter(|p| !families.contains_key(&p.arm))
        .collect();
    let sides: Vec<(String, Scores)> = plain
        .iter()
        .map(|p| {
            let rows = table.rows_of(&p.detector, &p.arm);
            (
                format!("{} {}", p.detector, p.arm),
                summary::scores(table, &rows),
            )
        })
        .collect();
    out.push_str("<h2>Curves</h2><p>");
    for (i, (name, _)) in sides.iter().enumerate() {
        let _ = write!(
            out,
            "<span style=\"color:{}\">&#9632;</span> {} &ensp;",
            COLOURS[i % COLOURS.len()],
            escape(name)
        );
    }
    out.push_str("</p><div class=charts>");
    out.push_str(&curves::roc(&sides));
    out.push_str(&curves::det(&sides));
    out.push_str(&curves::reliability(&sides));
    out.push_str(&curves::coverage(&sides, s.first.all.threshold));
    out.push_str("</div>");
    let curves = curves::severity(s, families);
    if !curves.is_empty() {
        let _ = write!(
            out,
            "<h2>Perturbations</h2><div class=charts>{curves}</div>"
        );
    }
    for p in &plain {
        if p.by_group.is_empty() {
            continue;
        }
        let open = p.arm == s.first.arm;
        out.push_str(&groups_table(p, open));
    }
    if let Some(pictures) = pictures {
        let _ = write!(
            out,
            "<h2>Mistakes, {} {}</h2>{}",
            escape(&s.first.detector),
            escape(&s.first.arm),
            worst(pictures, s.first.all.threshold)
        );
    }
    let _ = write!(out, "<script>{SCRIPT}</script></body></html>");
    out
}
