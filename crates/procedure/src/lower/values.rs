//! Single values: names, texts, paths, addresses, lengths of time.

use jiff::SignedDuration;
use tollgate_core::ids::NameError;

use super::Lower;
use crate::diagnostic::{Code, Span};
use crate::tree::Node;
use crate::words::shown;
use crate::{duration, template};

/// Words in an address that stand before a credential.
const CREDENTIAL_PARAMETERS: &[&str] = &[
    "token",
    "access_token",
    "api_key",
    "apikey",
    "api-key",
    "key",
    "secret",
    "password",
    "passwd",
    "sig",
    "signature",
];

impl Lower<'_> {
    /// A text in which nothing is filled in.
    pub(super) fn text(&mut self, node: &Node) -> Option<String> {
        let text = node.text()?;
        if template::has_holes(text) {
            let start = text.find("{{").unwrap_or(0);
            let span = self.inside(node, start..text.len().min(start + 2));
            self.report
                .error(Code::TemplateHere, span, "nothing is filled in at this place")
                .hint("write the text out");
            return None;
        }
        Some(text.trim_end_matches('\n').to_owned())
    }

    /// The text of a key, when it is there.
    pub(super) fn text_of(&mut self, node: &Node, key: &str) -> Option<String> {
        node.get(key).and_then(|value| self.text(value))
    }

    /// A name, by the rules of its type.
    pub(super) fn name<T>(
        &mut self,
        text: &str,
        span: Span,
        make: impl FnOnce(String) -> Result<T, NameError>,
    ) -> Option<T> {
        match make(text.to_owned()) {
            Ok(name) => Some(name),
            Err(error) => {
                self.report.error(Code::BadName, span, error.to_string());
                None
            }
        }
    }

    /// A length of time.
    pub(super) fn duration(&mut self, node: &Node) -> Option<SignedDuration> {
        let text = node.text()?;
        match duration::parse(text) {
            Ok(duration) => Some(duration),
            Err((what, hint)) => {
                let message = format!("`{}` {what}", shown(text));
                self.report.error(Code::BadDuration, node.span, message).hint_if(hint);
                None
            }
        }
    }

    /// The length of time of a key, when it is there.
    pub(super) fn duration_of(&mut self, node: &Node, key: &str) -> Option<SignedDuration> {
        node.get(key).and_then(|value| self.duration(value))
    }

    /// The number of a key, within what the grammar allows.
    pub(super) fn count_of(&self, node: &Node, key: &str) -> Option<u32> {
        node.get(key).and_then(Node::integer).and_then(|number| u32::try_from(number).ok())
    }

    /// A web address without credentials.
    pub(super) fn address(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if !self.without_credentials(node, &text, false) {
            return None;
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest else {
            let message = format!("`{}` is no web address", shown(&text));
            self.report.error(Code::BadAddress, node.span, message).hint("write `https://…`");
            return None;
        };
        let (host, _) = split_address(rest);
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '<' | '>' | '"' | '`');
        if host.is_empty() || host.starts_with([':', '.', '-']) || text.contains(odd) {
            let message = format!("`{}` is no web address", shown(&text));
            self.report.error(Code::BadAddress, node.span, message);
            return None;
        }
        Some(text)
    }

    /// Refuses an address with a user name, a password or a token in it, without showing them. Over ssh a user name is
    /// part of the address.
    pub(super) fn without_credentials(&mut self, node: &Node, text: &str, user_is_fine: bool) -> bool {
        let start = text.find("://").map_or(0, |at| at + 3);
        let (host, query) = split_address(&text[start..]);
        if let Some((user, _)) = host.rsplit_once('@')
            && (user.contains(':') || !user_is_fine)
        {
            let span = self.inside(node, start..start + user.len());
            self.report.error(Code::Secret, span, "a user name or password does not stand in an address").hint(
                "everybody who reads this file would know it; Tollgate and git ask for what they need elsewhere",
            );
            return false;
        }
        if let Some((parameter, value)) = credential(query) {
            let pair = format!("{parameter}={value}");
            let at = text.find(&pair).map_or(0, |at| at + parameter.len() + 1);
            let span = self.inside(node, at..at + value.len());
            let message = format!("`{}` looks like a secret in an address", shown(parameter));
            self.report
                .error(Code::Secret, span, message)
                .hint("everybody who reads this file would know it; ask at an address that needs none");
            return false;
        }
        true
    }

    /// Where git fetches from: an address, a path on another host, or a folder.
    pub(super) fn remote(&mut self, node: &Node) -> Option<String> {
        const HINT: &str = "write `https://…`, `ssh://…` or `git@host:path`";
        let text = self.text(node)?;
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let over_http = scheme.is_some_and(|scheme| scheme.starts_with("http"));
        if scheme.is_some() && !self.without_credentials(node, &text, !over_http) {
            return None;
        }
        if scheme.is_some_and(|scheme| !["https", "http", "ssh", "git", "file"].contains(&scheme)) {
            let message = "git does not know this kind of address";
            self.report.error(Code::BadAddress, node.span, message).hint(HINT);
            return None;
        }
        // `ext::` and its like run programs.
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if text.contains("::") || text.starts_with('-') || text.contains(odd) {
            self.report.error(Code::BadAddress, node.span, "this is no address of a repository").hint(HINT);
            return None;
        }
        Some(text)
    }

    /// A mail address.
    pub(super) fn mail(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if is_mail(&text) {
            return Some(text);
        }
        let message = format!("`{}` is no mail address", shown(&text));
        self.report
            .error(Code::BadAddress, node.span, message)
            .hint("write only the address: `name@example.org`");
        None
    }

    /// A relative path that does not leave its folder.
    pub(super) fn relative(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        match tollgate_core::version_file::RepoPath::new(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                self.report.error(Code::BadPath, node.span, error.to_string());
                None
            }
        }
    }

    /// The text of one key, one or a list.
    pub(super) fn one_or_more(
        &mut self,
        node: &Node,
        key: &str,
        one: impl Fn(&mut Self, &Node) -> Option<String>,
    ) -> Vec<String> {
        let Some(value) = node.get(key) else { return Vec::new() };
        if value.scalar().is_some() {
            return one(self, value).into_iter().collect();
        }
        value.items().iter().filter_map(|item| one(self, item)).collect()
    }

    /// A JSON pointer.
    pub(super) fn pointer(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if text.starts_with('/') {
            return Some(text);
        }
        let message = format!("`{}` is no JSON pointer", shown(&text));
        let dots = text.trim_start_matches("$.").replace('.', "/");
        self.report.error(Code::BadValue, node.span, message).hint(format!("write `/{}`", shown(&dots)));
        None
    }

    /// The place of a piece of a text in the file. Where the text was written in another form (over several lines,
    /// with escapes), the piece is looked for; if it is not found, the whole value is meant.
    pub(super) fn inside(&self, node: &Node, piece: std::ops::Range<usize>) -> Span {
        let (Some(text), Some(written)) = (node.text(), self.source.get(node.span.range())) else {
            return node.span;
        };
        let found = match written.find(text) {
            Some(at) => Some(at + piece.start..at + piece.end),
            None => text.get(piece.clone()).filter(|wanted| !wanted.is_empty()).and_then(|wanted| {
                let earlier = text[..piece.start].matches(wanted).count();
                let (at, _) = written.match_indices(wanted).nth(earlier)?;
                Some(at..at + wanted.len())
            }),
        };
        let Some((found, before)) =
            found.and_then(|range| written.get(..range.start).map(|before| (range, before)))
        else {
            return node.span;
        };
        let lines = before.matches('\n').count();
        let column = match before.rsplit_once('\n') {
            Some((_, line)) => 1 + line.chars().count(),
            None => usize::try_from(node.span.column).unwrap_or(1) + before.chars().count(),
        };
        Span {
            start: node.span.start + found.start,
            end: node.span.start + found.end,
            line: node.span.line + u32::try_from(lines).unwrap_or(0),
            column: u32::try_from(column).unwrap_or(1),
        }
    }
}

/// The host with what stands before it, and the query.
fn split_address(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let query = rest[end..].split_once('?').map_or("", |(_, query)| query);
    (&rest[..end], query.split('#').next().unwrap_or_default())
}

/// A parameter of a query that holds a secret, with its value.
fn credential(query: &str) -> Option<(&str, &str)> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, value)| {
        !value.is_empty() && CREDENTIAL_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
    })
}

/// Whether a text is a mail address alone.
pub(super) fn is_mail(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>,;:()\"\\".contains(c);
    match text.split_once('@') {
        Some((local, host)) => {
            !local.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !text.contains(odd)
                && !text.starts_with('-')
        }
        None => false,
    }
}
