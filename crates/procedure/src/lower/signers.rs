//! Signatures that are asked for, and the files of those who may sign.

use tollgate_core::model::GitVerify;
use tollgate_core::signatures::Signers;

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

impl Lower<'_> {
    /// Which signatures a step or a gate asks for: a mapping, or the file of the signers alone. What the file says becomes a part
    /// of it.
    pub(super) fn signatures(&mut self, node: &Node, otherwise: &str) -> Option<GitVerify> {
        let (tag, commits) = (node.get("tag"), node.get("commits"));
        let wanted = |node: Option<&Node>, otherwise| node.and_then(Node::boolean).unwrap_or(otherwise);
        let (is_tag, is_commits) = (wanted(tag, true), wanted(commits, false));
        if let (Some(off), false, false) = (tag, is_tag, is_commits) {
            let message = "no signature is looked at";
            let hint = format!("write `commits: true`, or {otherwise}");
            self.report.error(Code::KeyConflict, off.span, message).hint(hint);
        }
        let at = if node.text().is_some() { node } else { node.get("signers")? };
        let path = self.relative(at)?;
        let text = match (self.loader)(&path) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("`{}` cannot be read: {}", shown(&path), shown(&why));
                self.report.error(Code::Unreadable, at.span, message);
                return None;
            }
        };
        match Signers::parse(&path, &text) {
            Ok(signers) => Some(GitVerify { tag: is_tag, commits: is_commits, signers }),
            Err(error) => {
                let message = format!("`{}` is no list of signers: {error}", shown(&path));
                let hint = "one a line: `ada@example.org ssh-ed25519 AAAA…`, or the whole fingerprint of an OpenPGP or X.509 key";
                self.report.error(Code::Unreadable, at.span, message).hint(hint);
                None
            }
        }
    }
}
