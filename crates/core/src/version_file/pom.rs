//! The version in `pom.xml`: of the project itself, never of its parent, its dependencies or its plug-ins; and in its
//! modules, which name it as their parent.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use super::known::{Finder, beside};
use super::tree::text;
use super::{Place, ReadError, RepoPath, Spelling, Spot, Write, is_version, line_of};
use crate::commits::one_line;

/// Most modules of one project.
const MODULES_MAX: usize = 2_000;

/// What is needed of a `pom.xml`.
#[derive(Debug, Clone)]
struct Pom {
    path: RepoPath,
    own: Coordinates,
    parent: Option<Coordinates>,
    /// The properties by name.
    properties: BTreeMap<String, Vec<Value>>,
    modules: Vec<String>,
    /// Dependencies and plug-ins.
    uses: Vec<Coordinates>,
}

/// Who a project is. The version may be a property.
#[derive(Debug, Clone, Default)]
struct Coordinates {
    group: Option<String>,
    artifact: Option<String>,
    version: Option<Value>,
    /// How often there is a version.
    versions: usize,
}

/// A text and where it stands; nowhere when it is not plain text.
#[derive(Debug, Clone)]
struct Value {
    text: String,
    at: Option<std::ops::Range<usize>>,
    line: usize,
}

pub(super) fn find(finder: &mut Finder<'_>, declared: &[RepoPath]) {
    for path in declared {
        let _ = project(finder, path, declared);
    }
}

fn project(finder: &mut Finder<'_>, path: &RepoPath, declared: &[RepoPath]) -> Option<()> {
    let pom = read(finder, path)?;
    let Some(pom) = pom else {
        finder.error(ReadError::Missing { path: path.clone() });
        return None;
    };
    let (version, is_property) = version(finder, &pom)?;
    let spot = spot(finder, path, &version, Write::Version(Spelling::Plain))?;
    finder.spots.push(spot);
    if is_property {
        // Modules name the property, and not the version.
        return Some(());
    }
    let group = pom.own.group.clone().or(pom.parent.as_ref().and_then(|parent| parent.group.clone()));
    let moved = Coordinates { group, artifact: pom.own.artifact.clone(), ..Coordinates::default() };
    modules(finder, &pom, moved, &version.text, declared)
}

/// Where the project's version stands, and whether that is a property.
fn version(finder: &mut Finder<'_>, pom: &Pom) -> Option<(Value, bool)> {
    let path = &pom.path;
    let Some(version) = pom.own.version.clone() else {
        let error = match pom.parent.as_ref().and_then(|parent| parent.version.as_ref()) {
            Some(parent) => {
                let why = format!(
                    "the version is the one of the parent: name the parent's pom.xml in `version.files` instead of {path}"
                );
                ReadError::Elsewhere { path: path.clone(), line: parent.line, why }
            }
            None => {
                ReadError::NoVersion { path: path.clone(), what: "`<version>` of the project".to_owned() }
            }
        };
        finder.error(error);
        return None;
    };
    if pom.own.versions > 1 {
        let key = "<version>".to_owned();
        finder.error(ReadError::Doubled { path: path.clone(), line: version.line, key });
        return None;
    }
    if !version.text.contains("${") {
        return Some((version, false));
    }
    let name = version.text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let named = name.and_then(|name| Some((name, pom.properties.get(name)?)));
    match named {
        Some((_, values)) if values.len() == 1 && !values[0].text.contains("${") => {
            Some((values[0].clone(), true))
        }
        Some((name, values)) if values.len() > 1 => {
            let (line, key) = (values[1].line, one_line(name, 60));
            finder.error(ReadError::Doubled { path: path.clone(), line, key });
            None
        }
        _ => {
            let why = format!(
                "the version is put together as `{}`: give a pattern for the part that changes",
                one_line(&version.text, 60)
            );
            finder.error(ReadError::Elsewhere { path: path.clone(), line: version.line, why });
            None
        }
    }
}

fn spot(finder: &mut Finder<'_>, path: &RepoPath, value: &Value, write: Write) -> Option<Spot> {
    let (path, line) = (path.clone(), value.line);
    let Some(at) = value.at.clone() else {
        finder.error(ReadError::NotALiteral { path, line, name: "<version>".to_owned() });
        return None;
    };
    if !is_version(value.text.as_bytes()) {
        finder.error(ReadError::NotAVersion { path, line, found: one_line(&value.text, 40) });
        return None;
    }
    Some(Spot { path, place: Place { at, line }, found: value.text.clone(), write })
}

/// The modules of a project, and theirs: each that names one that moves as its parent, says the same version itself, or
/// depends on one that moves.
fn modules(
    finder: &mut Finder<'_>,
    pom: &Pom,
    moved: Coordinates,
    old: &str,
    declared: &[RepoPath],
) -> Option<()> {
    let mut all: Vec<Pom> = vec![pom.clone()];
    let mut next: Vec<RepoPath> = module_paths(pom);
    while let Some(path) = next.pop() {
        if all.len() >= MODULES_MAX || all.iter().any(|pom| pom.path == path) {
            continue;
        }
        match read(finder, &path) {
            Some(Some(module)) => {
                next.extend(module_paths(&module));
                all.push(module);
            }
            Some(None) => finder.error(ReadError::Missing { path }),
            None => {}
        }
    }
    // Which of them move: those that have the version from one that does, and those that say the same one.
    let mut moving = vec![moved];
    loop {
        let before = moving.len();
        for module in &all[1..] {
            let parent = module.parent.as_ref().filter(|parent| moving.iter().any(|moved| moved.is(parent)));
            let own = module.own.version.as_ref().map(|version| version.text.as_str());
            let group = module.own.group.clone().or(module.parent.as_ref().and_then(|p| p.group.clone()));
            let who = Coordinates { group, artifact: module.own.artifact.clone(), ..Coordinates::default() };
            if parent.is_some()
                && own.is_none_or(|own| own == old)
                && !moving.iter().any(|moved| moved.is(&who))
            {
                moving.push(who);
            }
        }
        if moving.len() == before {
            break;
        }
    }
    for (index, module) in all.iter().enumerate() {
        let same = |who: &Coordinates| who.version.as_ref().is_some_and(|version| version.text == old);
        let moves = |who: &&Coordinates| moving.iter().any(|moved| moved.is(who)) && same(who);
        let mut places: Vec<&Value> = Vec::new();
        if index > 0 {
            places.extend(module.parent.iter().filter(moves).filter_map(|who| who.version.as_ref()));
            let of_family =
                module.parent.as_ref().is_some_and(|parent| moving.iter().any(|moved| moved.is(parent)));
            // One that is declared itself is edited on its own account.
            if of_family && same(&module.own) && !declared.contains(&module.path) {
                places.extend(&module.own.version);
            }
        }
        places.extend(module.uses.iter().filter(moves).filter_map(|who| who.version.as_ref()));
        for value in places {
            let found = spot(finder, &module.path, value, Write::Copy(Spelling::Plain));
            finder.spots.extend(found);
        }
    }
    Some(())
}

impl Coordinates {
    /// Whether these name the same project. A group that is a property or left out is taken for the same.
    fn is(&self, other: &Self) -> bool {
        let open = |group: &Option<String>| group.as_ref().is_none_or(|group| group.contains("${"));
        let group = self.group == other.group || open(&self.group) || open(&other.group);
        group && self.artifact.is_some() && self.artifact == other.artifact
    }
}

fn module_paths(pom: &Pom) -> Vec<RepoPath> {
    let path = |module: &String| {
        let file = if module.ends_with(".xml") { module.clone() } else { format!("{module}/pom.xml") };
        beside(&pom.path, &file)
    };
    pom.modules.iter().filter_map(path).collect()
}

/// Reads what is needed. `None` when that cannot be now.
fn read(finder: &mut Finder<'_>, path: &RepoPath) -> Option<Option<Pom>> {
    let Some(bytes) = finder.look(path)? else { return Some(None) };
    let (start, source) = finder.take(text(path, bytes))?;
    let document = match Document::parse(source) {
        Ok(document) => document,
        Err(error) => {
            let line = error.pos().row as usize;
            let why = one_line(&error.to_string(), 120);
            finder.error(ReadError::Syntax { path: path.clone(), line, why });
            return None;
        }
    };
    let root = document.root_element();
    if root.tag_name().name() != "project" {
        let why = "this is no project of Maven's".to_owned();
        finder.error(ReadError::Syntax { path: path.clone(), line: 1, why });
        return None;
    }
    let reader = Reader { bytes, start, source };
    let mut properties: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for property in children(root, "properties").flat_map(|all| all.children()).filter(Node::is_element) {
        let name = property.tag_name().name().to_owned();
        properties.entry(name).or_default().push(reader.value(property));
    }
    let profiles = children(root, "profiles").flat_map(|all| all.children());
    let with_modules: Vec<Node<'_, '_>> = [root].into_iter().chain(profiles).collect();
    let modules = with_modules.into_iter().flat_map(|of| {
        let all: Vec<Node<'_, '_>> =
            children(of, "modules").flat_map(|all| children(all, "module")).collect();
        all
    });
    let modules = modules.map(|module| reader.value(module).text).collect();
    let used = |node: &Node<'_, '_>| matches!(node.tag_name().name(), "dependency" | "plugin" | "extension");
    let uses = root.descendants().filter(used).map(|node| reader.coordinates(node)).collect();
    Some(Some(Pom {
        path: path.clone(),
        own: reader.coordinates(root),
        parent: children(root, "parent").next().map(|parent| reader.coordinates(parent)),
        properties,
        modules,
        uses,
    }))
}

/// The elements of this name right inside of another one.
fn children<'a, 'i>(of: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    of.children().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

struct Reader<'a> {
    bytes: &'a [u8],
    start: usize,
    source: &'a str,
}

impl Reader<'_> {
    fn coordinates(&self, of: Node<'_, '_>) -> Coordinates {
        let text = |name| children(of, name).next().map(|node| self.value(node).text);
        Coordinates {
            group: text("groupId"),
            artifact: text("artifactId"),
            version: children(of, "version").next().map(|node| self.value(node)),
            versions: children(of, "version").count(),
        }
    }

    /// The text of an element, without white space around it.
    fn value(&self, of: Node<'_, '_>) -> Value {
        let whole: String =
            of.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
        let trimmed = whole.trim();
        let mut inside = of.children();
        let (only, more) = (inside.next(), inside.next());
        // Entities and CDATA are text as well, but not as it stands there.
        let at = only.filter(|node| more.is_none() && node.is_text()).and_then(|node| {
            let range = node.range();
            let raw = self.source.get(range.clone())?;
            let from = range.start + (raw.len() - raw.trim_start().len());
            (raw.trim() == trimmed).then(|| self.start + from..self.start + from + trimmed.len())
        });
        let line = line_of(self.bytes, at.as_ref().map_or(self.start + of.range().start, |at| at.start));
        Value { text: trimmed.to_owned(), at, line }
    }
}
