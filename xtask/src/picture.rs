//! `cargo xtask picture`: the picture of the readme, from what the demo really says.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::shell::{cargo, root, succeeds, target};

/// Where the picture is.
const PICTURE: &str = "docs/images/demo.svg";
/// The parts of the output that are shown, counted in groups of lines between empty ones. Where one is left out, the picture
/// says so.
const SHOWN: [usize; 5] = [0, 1, 2, 5, 6];
/// The width of the picture, in characters.
const COLUMNS: usize = 80;
/// The size of one character, in pixels.
const CELL: (f64, f64) = (8.4, 20.0);
/// The space around the text, in pixels.
const PAD: f64 = 22.0;
/// The height of the bar above it, in pixels.
const BAR: f64 = 40.0;

/// Plays the demo, and draws what it says.
pub(crate) fn run() -> bool {
    match make() {
        Ok(()) => true,
        Err(problem) => {
            println!("{problem}");
            false
        }
    }
}

fn make() -> Result<(), String> {
    if !succeeds(&mut cargo(&["build", "--quiet", "--package", "tollgate"])) {
        return Err("the program cannot be built".to_owned());
    }
    let program = target().join("debug/tollgate");
    let folder = target().join("picture");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let said = play(&program, &folder);
    // Its services end with the folder.
    let _ = std::fs::remove_dir_all(&folder);
    let lines = chosen(&said?)?;
    let picture = root().join(PICTURE);
    let written = std::fs::create_dir_all(picture.parent().unwrap_or(&picture))
        .and_then(|()| std::fs::write(&picture, draw(&lines)));
    written.map_err(|error| format!("{}: {error}", picture.display()))?;
    println!("{PICTURE}: {} lines", lines.len());
    Ok(())
}

/// What the demo says, with its colours.
fn play(program: &Path, folder: &Path) -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = program.parent().map(Path::to_owned);
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))
        .map_err(|error| error.to_string())?;
    let output = std::process::Command::new(program)
        .args(["--color", "always", "demo", "--yes"])
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("the demo failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// The lines of the picture.
fn chosen(said: &str) -> Result<Vec<String>, String> {
    let groups: Vec<&str> = said.trim_end().split("\n\n").collect();
    let mut lines = vec!["\u{1b}[0m$ \u{1b}[1mtollgate demo --yes\u{1b}[0m".to_owned()];
    let mut next = 0;
    for number in SHOWN {
        let group = groups.get(number).ok_or("the demo says less than it did: look at `SHOWN`")?;
        if number > next + 1 {
            lines.extend([String::new(), "\u{1b}[2m  ⋮\u{1b}[0m".to_owned()]);
        }
        if number > 0 {
            lines.push(String::new());
        }
        lines.extend(group.lines().map(ToOwned::to_owned));
        next = number;
    }
    Ok(lines)
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    faint: bool,
    colour: Option<u8>,
}

impl Look {
    /// The same after a control sequence for looks: its numbers, between `;`.
    fn after(self, numbers: &str) -> Self {
        numbers.split(';').fold(self, |look, number| match number.parse().unwrap_or(0) {
            0 => Self::default(),
            1 => Self { bold: true, ..look },
            2 => Self { faint: true, ..look },
            22 => Self { bold: false, faint: false, ..look },
            colour @ 31..=36 => Self { colour: Some(colour), ..look },
            39 => Self { colour: None, ..look },
            _ => look,
        })
    }

    /// Its classes in the style sheet.
    fn classes(self) -> String {
        let mut classes = Vec::new();
        if self.bold {
            classes.push("b".to_owned());
        }
        if self.faint {
            classes.push("f".to_owned());
        }
        classes.extend(self.colour.map(|colour| format!("c{colour}")));
        classes.join(" ")
    }
}

/// The pieces of a line that look the same, each with the column that it begins in.
fn pieces(line: &str) -> Vec<(usize, Look, String)> {
    let mut pieces: Vec<(usize, Look, String)> = Vec::new();
    let (mut look, mut column) = (Look::default(), 0);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            let sequence: String = rest.by_ref().skip(1).take_while(|c| *c != 'm').collect();
            look = look.after(&sequence);
            continue;
        }
        match pieces.last_mut() {
            Some((_, last, text)) if *last == look => text.push(c),
            _ => pieces.push((column, look, c.to_string())),
        }
        column += 1;
    }
    pieces
}

const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:#d6deeb;white-space:pre}\
.b{font-weight:700;fill:#fff}.f{fill:#7f8ea3}.c31{fill:#ff6b6b}.c32{fill:#7ee787}.c33{fill:#f2cc60}.c34{fill:#79c0ff}\
.c35{fill:#d2a8ff}.c36{fill:#76e3ea}";

/// The picture: a window with the lines in it.
fn draw(lines: &[String]) -> String {
    let width = COLUMNS as f64 * CELL.0 + 2.0 * PAD;
    let height = BAR + lines.len() as f64 * CELL.1 + PAD;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"A terminal: tollgate takes a release from its cut to production\">\n\
         <style>{STYLE}</style>\n\
         <rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"10\" fill=\"#0f1722\" stroke=\"#2b3a4d\"/>\n",
        width - 1.0,
        height - 1.0
    );
    for (number, colour) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let _ = writeln!(svg, "<circle cx=\"{}\" cy=\"20\" r=\"6\" fill=\"{colour}\"/>", 24 + 20 * number);
    }
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + (number as f64 + 0.75) * CELL.1;
        let mut text = String::new();
        for (column, look, piece) in pieces(line) {
            if piece.trim().is_empty() {
                continue;
            }
            let x = PAD + column as f64 * CELL.0;
            // Whatever the font is, every piece is as wide as its characters.
            let length = piece.chars().count() as f64 * CELL.0;
            let classes = look.classes();
            let class = if classes.is_empty() { String::new() } else { format!(" class=\"{classes}\"") };
            let _ = write!(
                text,
                "<tspan x=\"{x:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"{class}>{}</tspan>",
                escaped(&piece)
            );
        }
        if !text.is_empty() {
            let _ = writeln!(svg, "<text y=\"{y:.0}\">{text}</text>");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_begin_where_they_are_written() {
        let green = Look { colour: Some(32), ..Look::default() };
        let line = "a \u{1b}[32m✓\u{1b}[0m\u{1b}[1m b\u{1b}[0m";
        let bold = Look { bold: true, ..Look::default() };
        assert_eq!(
            pieces(line),
            [(0, Look::default(), "a ".into()), (2, green, "✓".into()), (3, bold, " b".into())]
        );
        assert_eq!(green.after("1;36").classes(), "b c36");
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let said = (0..8).map(|group| format!("group {group}\n")).collect::<Vec<_>>().join("\n");
        let lines = chosen(&said).expect("enough is said");
        assert_eq!(lines.iter().filter(|line| line.contains('⋮')).count(), 1);
        assert!(chosen("only this").is_err());
    }
}
