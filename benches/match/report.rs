//! What was measured, as a table, as JSON and as a chart.

use std::fmt;
use std::fs;

use serde::Serialize;

/// One engine at one size.
#[derive(Clone, Serialize)]
pub struct Row {
    pub engine: String,
    pub queries: usize,
    pub threads: usize,
    /// The posts of a thousand in which something stands that a query looks for.
    pub hits_of_thousand: usize,
    pub posts_per_s: f64,
    /// Of a post and a query.
    pub matches: usize,
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:<24} {:>9} queries {:>2} threads {:>5.1} % hit {:>10.0} posts/s {:>8} matches",
            self.engine,
            self.queries,
            self.threads,
            self.hits_of_thousand as f64 / 10.0,
            self.posts_per_s,
            self.matches
        )
    }
}

#[derive(Serialize)]
struct Report<'a> {
    machine: Machine,
    /// Of 100,000 posts at each size; the best of three rounds.
    rows: &'a [Row],
}

#[derive(Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    memory_mb: usize,
}

fn value_of(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn machine() -> Machine {
    let memory = value_of("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes = memory.split_whitespace().next().and_then(|number| number.parse::<usize>().ok());
    Machine {
        processor: value_of("/proc/cpuinfo", "model name").unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mb: kilobytes.unwrap_or(0) / 1024,
    }
}

pub fn write_json(file: &str, rows: &[Row]) {
    let report = Report { machine: machine(), rows };
    fs::write(file, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
}

const COLOURS: [&str; 8] = ["#0b6e4f", "#6bbf59", "#1f77b4", "#ff7f0e", "#9467bd", "#8c564b", "#d62728", "#7f7f7f"];
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Posts/s by queries, both in powers of ten, a line for each engine at one hit in a hundred posts.
pub fn write_svg(file: &str, rows: &[Row]) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.hits_of_thousand == 10).collect();
    let x = |queries: f64| LEFT + (queries.log10() - 3.0) / 3.0 * (WIDTH - LEFT - RIGHT);
    let y = |posts: f64| HEIGHT - BOTTOM - (posts.log10() - 1.0) / 6.0 * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">Posts matched each second, by saved queries (two threads, 1 % of posts hit)</text>\n"
    );
    for power in 1..=7 {
        let at = y(10_f64.powi(power));
        let label = ["10", "100", "1 k", "10 k", "100 k", "1 M", "10 M"][power as usize - 1];
        svg += &format!("<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" stroke=\"#ddd\"/>", WIDTH - RIGHT);
        svg += &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\n", LEFT - 8.0, at + 4.0);
    }
    for (power, label) in (3..=6).zip(["1 k", "10 k", "100 k", "1 M"]) {
        let at = x(10_f64.powi(power));
        svg += &format!("<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n", HEIGHT - BOTTOM + 20.0);
    }
    svg += &format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">queries</text>\n",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 10.0
    );
    let mut engines: Vec<&str> = rows.iter().map(|row| row.engine.as_str()).collect();
    engines.sort_unstable();
    engines.dedup();
    for (nth, engine) in engines.iter().enumerate() {
        let colour = COLOURS[nth % COLOURS.len()];
        let own: Vec<&&Row> = rows.iter().filter(|row| row.engine == *engine).collect();
        let points: Vec<(f64, f64)> = own.iter().map(|row| (x(row.queries as f64), y(row.posts_per_s))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            path.join(" ")
        );
        for (x, y) in &points {
            svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n");
        }
        let label = TOP + 20.0 * nth as f64 + 10.0;
        let left = WIDTH - RIGHT + 14.0;
        svg += &format!("<rect x=\"{left}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>", label - 10.0);
        svg += &format!("<text x=\"{}\" y=\"{label}\">{engine}</text>\n", left + 18.0);
    }
    fs::write(file, svg + "</svg>\n").unwrap();
}
