//! Checklists in Markdown files: the items of numbered and task lists, under their headings.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The longest file that is read, in bytes.
const FILE_MAX_BYTES: usize = 256 * 1024;

/// Items under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// The heading below the one that was asked for; none for what stands right below that.
    pub(crate) title: Option<String>,
    /// The items, each on one line or several.
    pub(crate) items: Vec<String>,
}

/// The items below a heading, or of a whole file. What a list item holds of further lists is a part of it.
pub(crate) fn checklist(text: &str, heading: Option<&str>) -> Result<Vec<Section>, String> {
    if text.len() > FILE_MAX_BYTES {
        return Err(format!("it is larger than {} KiB", FILE_MAX_BYTES / 1024));
    }
    let mut reading = Reading { wanted: heading, level: None, depth: 0, ..Reading::default() };
    let mut known = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_TASKLISTS) {
        reading.event(event, &mut known);
    }
    if let Some(heading) = heading.filter(|_| reading.level.is_none()) {
        let known: Vec<String> = known.iter().take(10).map(|anchor| format!("`{anchor}`")).collect();
        return Err(format!("it has no heading `#{heading}`; it has {}", known.join(", ")));
    }
    reading.sections.retain(|section| !section.items.is_empty());
    if reading.sections.is_empty() {
        return Err("there is no numbered list and no task list".to_owned());
    }
    Ok(reading.sections)
}

#[derive(Default)]
struct Reading<'w> {
    wanted: Option<&'w str>,
    /// The level of the heading that was asked for, once it came.
    level: Option<u8>,
    over: bool,
    heading: Option<(u8, String)>,
    /// For each list that is open, whether it is numbered.
    lists: Vec<bool>,
    depth: usize,
    item: Option<(String, bool)>,
    sections: Vec<Section>,
}

impl Reading<'_> {
    fn takes(&self) -> bool {
        !self.over && (self.wanted.is_none() || self.level.is_some())
    }

    fn event(&mut self, event: Event<'_>, known: &mut Vec<String>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => self.heading = Some((level as u8, String::new())),
            Event::End(TagEnd::Heading(_)) => self.headed(known),
            Event::Start(Tag::List(first)) => self.lists.push(first.is_some()),
            Event::End(TagEnd::List(_)) => drop(self.lists.pop()),
            Event::Start(Tag::Item) => {
                self.depth += 1;
                if self.depth == 1 {
                    let numbered = self.lists.first().copied().unwrap_or(false);
                    self.item = Some((String::new(), numbered));
                } else {
                    self.text("\n");
                }
            }
            Event::End(TagEnd::Item) => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.ended();
                }
            }
            Event::TaskListMarker(_) => {
                if let Some((_, counts)) = &mut self.item {
                    *counts = true;
                }
            }
            Event::Text(text) | Event::Code(text) => self.text(&text),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak | Event::Start(Tag::CodeBlock(_)) => self.text("\n"),
            Event::Start(Tag::Link { dest_url, .. }) if dest_url.contains("://") => {
                self.text(&format!("{dest_url} "));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match (&mut self.heading, &mut self.item) {
            (Some((_, heading)), _) => heading.push_str(text),
            (None, Some((item, _))) => item.push_str(text),
            (None, None) => {}
        }
    }

    fn headed(&mut self, known: &mut Vec<String>) {
        let Some((level, title)) = self.heading.take() else { return };
        let anchor = anchor(&title);
        match (self.wanted, self.level) {
            (Some(wanted), None) if anchor == wanted => self.level = Some(level),
            (Some(_), Some(top)) if level <= top => self.over = true,
            (Some(_), None) => {}
            _ if self.takes() => {
                self.sections.push(Section { title: Some(title.trim().to_owned()), items: Vec::new() });
            }
            _ => {}
        }
        known.push(anchor);
    }

    fn ended(&mut self) {
        let Some((text, counts)) = self.item.take() else { return };
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if !counts || lines.is_empty() || !self.takes() {
            return;
        }
        if self.sections.is_empty() {
            self.sections.push(Section { title: None, items: Vec::new() });
        }
        if let Some(section) = self.sections.last_mut() {
            section.items.push(lines.join("\n"));
        }
    }
}

/// What a heading is called in addresses, as forges make it.
fn anchor(title: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    };
    title.trim().to_lowercase().chars().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Verify\n\nBefore.\n\n- a remark\n\n## On stage\n\n1. Open the *console*\n2. Log in at \
                        [the shop](https://shop.example.org)\n   - with a test card\n\n### Payments\n\n- [ ] Pay `1 EUR`\n\
                        - [x] Pay it back\n- no task\n\n## On production\n\n1. Look\n";

    fn found(heading: Option<&str>) -> Vec<String> {
        let sections = checklist(TEXT, heading).unwrap();
        let of = |section: &Section| {
            format!("{:?}: {}", section.title.as_deref().unwrap_or(""), section.items.join(" | "))
        };
        sections.iter().map(of).collect()
    }

    #[test]
    fn items_stand_under_their_headings() {
        assert_eq!(
            found(Some("on-stage")),
            [
                "\"\": Open the console | Log in at https://shop.example.org the shop\nwith a test card",
                "\"Payments\": Pay 1 EUR | Pay it back",
            ]
        );
        assert_eq!(found(Some("on-production")), ["\"\": Look"]);
        assert_eq!(found(None).len(), 3);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let why = checklist(TEXT, Some("nowhere")).unwrap_err();
        assert_eq!(
            why,
            "it has no heading `#nowhere`; it has `verify`, `on-stage`, `payments`, `on-production`"
        );
        assert!(checklist("# Nothing\n\n- a\n", None).is_err());
        assert!(checklist(&"1. a\n".repeat(100_000), None).is_err());
    }
}
