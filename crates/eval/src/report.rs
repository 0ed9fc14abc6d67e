//! One self-contained page of a run: tables that sort, charts drawn here as SVG, the worst mistakes
//! as thumbnails. No script or picture is fetched from anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use realscope_delivery::{self as delivery, Filter, Subsampling};
use realscope_media::{Limits, Options};

use crate::summary::{self, Measure, Part, Summary};
use crate::table::Table;
use realscope_metric::{Scores, ece, risk};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1,h2,h3{line-height:1.2}table{border-collapse:collapse;margin:.6rem 0;width:100%}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left;font-variant-numeric:tabular-nums}
th{cursor:pointer;background:#f4f5f7;position:sticky;top:0}th:hover{background:#e6e9ee}.charts{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-size:.85rem;color:#555;max-width:320px}
.thumbs{display:flex;flex-wrap:wrap;gap:.6rem}.thumbs figure{width:140px}.thumbs img{width:140px;height:140px;object-fit:contain;background:#eee}.thumbs figcaption{overflow-wrap:anywhere}
.note{color:#7a4b00}.q{color:#7a4b00}details{margin:.4rem 0}@media(prefers-color-scheme:dark){body{background:#14171c;color:#e6e8eb}th{background:#22262d}th:hover{background:#2c323b}td,th{border-color:#333}figcaption{color:#aab}.thumbs img{background:#222}.note,.q{color:#f0b85a}}";

const SCRIPT: &str = "document.querySelectorAll('th').forEach(h=>h.addEventListener('click',()=>{const t=h.closest('table'),i=[...h.parentNode.children].indexOf(h),b=t.tBodies[0],d=h.dataset.d=h.dataset.d==='1'?'-1':'1';[...b.rows].sort((x,y)=>{const p=x.cells[i].dataset.v??x.cells[i].textContent,q=y.cells[i].dataset.v??y.cells[i].textContent,m=parseFloat(p),n=parseFloat(q);return d*((isNaN(m)||isNaN(n))?p.localeCompare(q):m-n)}).forEach(r=>b.append(r))}));";

fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '&' => "&amp;".chars().collect::<Vec<_>>(),
            '<' => "&lt;".chars().collect(),
            '>' => "&gt;".chars().collect(),
            '"' => "&quot;".chars().collect(),
            c if c.is_control() => "\u{fffd}".chars().collect(),
            c => vec![c],
        })
        .collect()
}

fn cell(m: &Measure) -> String {
    match (m.value, m.ci95) {
        (Some(v), Some([l, h])) => format!(
            "<td data-v=\"{v}\">{v:.3} <small>[{l:.3}, {h:.3}]</small>{}</td>",
            m.ci95_note.as_ref().map_or(String::new(), |n| format!(
                " <span class=q title=\"{}\">?</span>",
                escape(n)
            ))
        ),
        (Some(v), None) => format!("<td data-v=\"{v}\">{v:.3}</td>"),
        (None, _) => format!(
            "<td data-v=\"-1\" title=\"{}\">&ndash;</td>",
            escape(m.reason.as_deref().unwrap_or(""))
        ),
    }
}

/// A chart over the unit square, or with axes of its own.
struct Chart {
    body: String,
    x: [f64; 2],
    y: [f64; 2],
}

const COLOURS: [&str; 8] = [
    "#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f",
];

impl Chart {
    fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        Self {
            body: String::new(),
            x,
            y,
        }
    }

    fn point(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |v: f64, [a, b]: [f64; 2]| ((v - a) / (b - a)).clamp(0.0, 1.0);
        (
            40.0 + 260.0 * share(x, self.x),
            240.0 - 220.0 * share(y, self.y),
        )
    }

    fn line(&mut self, points: &[(f64, f64)], colour: usize, name: &str) {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| {
                let (x, y) = self.point(*x, *y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = write!(
            self.body,
            "<polyline fill=none stroke=\"{}\" stroke-width=1.6 points=\"{}\"><title>{}</title></polyline>",
            COLOURS[colour % COLOURS.len()],
            path.join(" "),
            escape(name)
        );
    }

    fn finish(self, caption: &str, axes: [&str; 2], ticks: [&[(f64, &str)]; 2]) -> String {
        let mut marks = String::new();
        for (v, t) in ticks[0] {
            let (x, _) = self.point(*v, self.y[0]);
            let _ = write!(marks, "<text x={x:.1} y=254 text-anchor=middle>{t}</text>");
        }
        for (v, t) in ticks[1] {
            let (_, y) = self.point(self.x[0], *v);
            let _ = write!(
                marks,
                "<text x=36 y={:.1} text-anchor=end>{t}</text>",
                y + 3.0
            );
        }
        format!(
            "<figure><svg viewBox=\"0 0 310 280\" width=320 role=img aria-label=\"{0}\" font-size=9 fill=currentColor><rect x=40 y=20 width=260 height=220 fill=none stroke=\"#999\"/>{marks}<text x=170 y=272 text-anchor=middle>{1}</text><text x=12 y=130 text-anchor=middle transform=\"rotate(-90 12 130)\">{2}</text>{3}</svg><figcaption>{0}</figcaption></figure>",
            escape(caption),
            escape(axes[0]),
            escape(axes[1]),
            self.body
        )
    }
}

const UNIT: &[(f64, &str)] = &[
    (0.0, "0"),
    (0.25, ".25"),
    (0.5, ".5"),
    (0.75, ".75"),
    (1.0, "1"),
];

fn roc(sides: &[(String, Scores)]) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 1.0]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let v = s.all();
        if !v.has_both() {
            continue;
        }
        let mut points = vec![(0.0, 0.0)];
        v.curve(|p| points.push((p.fp / v.negatives, p.tp / v.positives)));
        chart.line(&points, i, name);
    }
    chart.finish(
        "ROC: recall against false alarms",
        ["false positive rate", "true positive rate"],
        [UNIT, UNIT],
    )
}

/// Quantile of the normal distribution (Acklam's rational approximation, error below 1.2e-9).
fn probit(p: f64) -> f64 {
    let p = p.clamp(1e-4, 1.0 - 1e-4);
    let a = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    let b = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
    ];
    let c = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_4,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    let d = [
        0.007_784_695_709_041_462,
        0.322_467_129_070_039_8,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let poly = |k: &[f64], x: f64| k.iter().fold(0.0, |acc, v| acc * x + v);
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        poly(&c, q) / (poly(&d, q) * q + 1.0)
    } else if p > 1.0 - 0.02425 {
        -probit(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&a, r) * q / (poly(&b, r) * r + 1.0)
    }
}

fn det(sides: &[(String, Scores)]) -> String {
    let (low, high) = (probit(0.002), probit(0.98));
    let mut chart = Chart::new([low, high], [low, high]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let v = s.all();
        if !v.has_both() {
            continue;
        }
        let mut points = Vec::new();
        v.curve(|p| {
            points.push((probit(p.fp / v.negatives), probit(1.0 - p.tp / v.positives)));
        });
        chart.line(&points, i, name);
    }
    let ticks: Vec<(f64, &str)> = [
        (0.005, ".5%"),
        (0.02, "2%"),
        (0.1, "10%"),
        (0.3, "30%"),
        (0.6, "60%"),
        (0.9, "90%"),
    ]
    .iter()
    .map(|(p, t)| (probit(*p), *t))
    .collect();
    chart.finish(
        "DET: misses against false alarms, normal deviates",
        ["false positive rate", "miss rate"],
        [&ticks, &ticks],
    )
}

fn reliability(sides: &[(String, Scores)]) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 1.0]);
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], 7, "calibrated");
    for (i, (name, s)) in sides.iter().enumerate() {
        if let Some(bins) = ece::equal_width(&s.all()) {
            let points: Vec<(f64, f64)> = bins
                .iter()
                .filter(|b| b.n > 0.0)
                .map(|b| (b.probability / b.n, b.positives / b.n))
                .collect();
            chart.line(&points, i, name);
        }
    }
    chart.finish(
        "Reliability: share of generated pictures against stated probability",
        ["mean probability", "share generated"],
        [UNIT, UNIT],
    )
}

fn coverage(sides: &[(String, Scores)], threshold: f64) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 0.5]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let points: Vec<(f64, f64)> = risk::coverage_risk(&s.all(), threshold)
            .iter()
            .map(|k| (k.coverage, k.risk))
            .collect();
        chart.line(&points, i, name);
    }
    chart.finish(
        "Abstention: share of wrong decisions against share of pictures decided",
        ["coverage", "risk"],
        [UNIT, &[(0.0, "0"), (0.1, ".1"), (0.25, ".25"), (0.5, ".5")]],
    )
}

fn bars(p: &Part) -> String {
    let rows: Vec<&summary::GroupRow> = p.by_group.iter().filter(|g| g.rate.is_some()).collect();
    if rows.is_empty() {
        return String::new();
    }
    let height = 20 * rows.len() + 20;
    let mut body = String::new();
    for (i, g) in rows.iter().enumerate() {
        let y = 20 * i + 4;
        let rate = g.rate.unwrap_or(0.0);
        let [low, high] = g.ci95.unwrap_or([rate, rate]);
        let colour = if g.label == 1 { COLOURS[1] } else { COLOURS[0] };
        let _ = write!(
            body,
            "<text x=236 y={0} text-anchor=end>{1}</text><rect x=240 y={y} width={2:.1} height=12 fill=\"{colour}\" opacity=.75><title>{3} of {4}</title></rect><line x1={5:.1} x2={6:.1} y1={7} y2={7} stroke=currentColor />",
            y + 10,
            escape(&g.group),
            300.0 * rate,
            g.right,
            g.n,
            240.0 + 300.0 * low,
            240.0 + 300.0 * high,
            y + 6
        );
    }
    format!(
        "<figure><svg viewBox=\"0 0 560 {height}\" width=560 role=img aria-label=\"share decided right by group\" font-size=10 fill=currentColor>{body}</svg><figcaption>Share decided right, worst first; red: generators, blue: sources; 95% intervals. Groups under the least number of items are in the table only.</figcaption></figure>"
    )
}

/// Where pictures lie and how many mistakes are shown.
pub struct Pictures<'a> {
    /// Folder that relative paths start from.
    pub base: &'a Path,
    /// Rows of the first part: path, label, score.
    pub rows: Vec<(String, bool, f64)>,
    /// Most thumbnails of each kind.
    pub most: usize,
}

fn thumbnail(path: &Path) -> Option<String> {
    let pixels = if realscope_data::clip::is_video(path).ok()? {
        realscope_data::clip::middle(path).ok()??
    } else {
        let bytes = std::fs::read(path).ok()?;
        realscope_media::decode(&bytes, &Limits::default(), &Options::default())
            .ok()?
            .pixels
    };
    let small = delivery::limit_edge(&pixels, 140, Filter::Lanczos3).ok()?;
    let jpeg = delivery::encode_jpeg(&small, 80, Subsampling::S420).ok()?;
    Some(base64::engine::general_purpose::STANDARD.encode(jpeg))
}

fn worst(pictures: &Pictures<'_>, threshold: f64) -> String {
    let mut out = String::new();
    for (title, positive) in [("Worst false alarms", false), ("Worst misses", true)] {
        let mut rows: Vec<&(String, bool, f64)> = pictures
            .rows
            .iter()
            .filter(|r| r.1 == positive && (r.2 >= threshold) != positive)
            .collect();
        rows.sort_by(|a, b| b.2.total_cmp(&a.2));
        if positive {
            rows.reverse();
        }
        let _ = write!(out, "<h3>{title} ({})</h3><div class=thumbs>", rows.len());
        for (path, _, score) in rows.into_iter().take(pictures.most) {
            let image = match thumbnail(&pictures.base.join(path)) {
                Some(data) => format!("<img alt=\"\" src=\"data:image/jpeg;base64,{data}\">"),
                None => "<div class=note>cannot be read</div>".into(),
            };
            let _ = write!(
                out,
                "<figure>{image}<figcaption>{score:.3} {}</figcaption></figure>",
                escape(path)
            );
        }
        out.push_str("</div>");
    }
    out
}

/// A detector's curve: its name and (severity, AUC).
type Named = (String, Vec<(f64, f64)>);

/// Severity curves: AUC by position on each family of perturbations. `families` maps an arm to its
/// family and severity.
fn severity(s: &Summary, families: &BTreeMap<String, (String, u32)>) -> String {
    let mut curves: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
    for p in &s.parts {
        if let (Some((family, step)), Some(auc)) = (families.get(&p.arm), p.all.auc.value) {
            curves
                .entry((family.clone(), p.detector.clone()))
                .or_default()
                .push((f64::from(*step), auc));
        }
    }
    let mut by_family: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for ((family, detector), mut points) in curves {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        by_family
            .entry(family)
            .or_default()
            .push((detector, points));
    }
    let mut out = String::new();
    for (family, lines) in by_family {
        let most = lines
            .iter()
            .flat_map(|l| l.1.iter().map(|p| p.0))
            .fold(1.0, f64::max);
        let mut chart = Chart::new([1.0, most.max(2.0)], [0.4, 1.0]);
        for (i, (name, points)) in lines.iter().enumerate() {
            chart.line(points, i, name);
            for (x, y) in points {
                let (px, py) = chart.point(*x, *y);
                let _ = write!(
                    chart.body,
                    "<circle cx={px:.1} cy={py:.1} r=3 fill=\"{}\"/>",
                    COLOURS[i % COLOURS.len()]
                );
            }
        }
        out.push_str(&chart.finish(
            &format!("Severity: {family}"),
            ["severity", "AUC"],
            [&[(1.0, "1")], &[(0.5, ".5"), (0.75, ".75"), (1.0, "1")]],
        ));
    }
    out
}

fn measures_table(s: &Summary, parts: &[Part]) -> String {
    let mut out = String::new();
    let head = "<table><thead><tr><th>detector<th>arm<th>items<th>balanced accuracy<th>AUC<th>recall<th>specificity<th>recall at 5% FPR<th>TPR at 1% FPR<th>ECE<th>uncertain</tr></thead><tbody>";
    let row = |p: &Part, m: &summary::Measures, abstain: bool| {
        let uncertain = match (&p.abstention, abstain) {
            (Some(a), true) => format!("{:.1}%", 100.0 * a.uncertain),
            _ => "&ndash;".into(),
        };
        format!(
            "<tr><td>{}<td>{}<td>{}</td>{}{}{}{}{}{}{}<td>{uncertain}</tr>",
            escape(&p.detector),
            escape(&p.arm),
            m.n,
            cell(&m.balanced_accuracy),
            cell(&m.auc),
            cell(&m.recall),
            cell(&m.specificity),
            cell(&m.recall_at_fpr_0_05),
            cell(&m.tpr_at_fpr_0_01),
            cell(&m.ece),
        )
    };
    if parts.iter().any(|p| p.matched.is_some()) {
        out.push_str(
            "<h2>Matched sets</h2><p>Both classes share source and style; the honest test.</p>",
        );
        out.push_str(head);
        for p in parts {
            if let Some(m) = &p.matched {
                out.push_str(&row(p, m, false));
            }
        }
        out.push_str("</tbody></table><details><summary>Each match set (AUC)</summary><table><thead><tr><th>detector<th>arm<th>set<th>items<th>AUC</tr></thead><tbody>");
        for p in parts {
            for set in &p.match_sets {
                let _ = write!(
                    out,
                    "<tr><td>{}<td>{}<td>{}<td>{}</td>{}</tr>",
                    escape(&p.detector),
                    escape(&p.arm),
                    escape(&set.match_set),
                    set.measures.n,
                    cell(&set.measures.auc)
                );
            }
        }
        out.push_str("</tbody></table></details>");
    }
    out.push_str("<h2>All items</h2>");
    out.push_str(head);
    for p in parts {
        out.push_str(&row(p, &p.all, true));
    }
    out.push_str("</tbody></table>");
    if s.failed > 0 {
        let _ = write!(
            out,
            "<p class=note>{} pictures failed and have no score; none was replaced.</p>",
            s.failed
        );
    }
    out.push_str("<p><small>Intervals: 95%, resampled by group; &ldquo;?&rdquo; marks fewer than ten groups. &ndash;: the data cannot carry the number (hover for the reason).</small></p>");
    out
}

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
    out.push_str(&roc(&sides));
    out.push_str(&det(&sides));
    out.push_str(&reliability(&sides));
    out.push_str(&coverage(&sides, s.first.all.threshold));
    out.push_str("</div>");
    let curves = severity(s, families);
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
        let _ = write!(
            out,
            "<details{}><summary>Groups, {} {}</summary>{}<table><thead><tr><th>group<th>class<th>items<th>right<th>share</tr></thead><tbody>",
            if p.arm == s.first.arm { " open" } else { "" },
            escape(&p.detector),
            escape(&p.arm),
            bars(p)
        );
        for g in &p.by_group {
            let share = g.rate.map_or("&ndash;".into(), |r| format!("{r:.3}"));
            let _ = write!(
                out,
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{share}</tr>",
                escape(&g.group),
                if g.label == 1 {
                    "generated"
                } else {
                    "authentic"
                },
                g.n,
                g.right
            );
        }
        out.push_str("</tbody></table></details>");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probit_is_the_inverse_of_the_normal_distribution() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_985), (0.01, -2.326_347_874)] {
            assert!((probit(p) - z).abs() < 1e-6, "{p}");
        }
    }
}
