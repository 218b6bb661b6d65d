//! What each style writes.

use super::*;

const PAGE: &str = "https://github.com/acme/app";

/// A history with most of what a section can show, the newest first.
const MESSAGES: &[(&str, &str)] = &[
    ("11111111", "fix(db): mend the index\n\nCloses #1, #2"),
    ("22222222", "feat(ui): add colours (#12)"),
    ("33333333", "fix(api)!: drop the old call"),
    ("44444444", "feat: themes\n\nBREAKING CHANGE: themes have to be\nwritten anew"),
    ("55555555", "perf: faster reads, see ABC-7"),
    ("66666666", "Revert \"feat: six\""),
    ("77777777", "docs: say more"),
    ("88888888", "Tidy up"),
    ("99999999", "chore!: a new runner is needed"),
    ("aaaaaaaa", "fix: mend it\n\nRefs ABC-8, bug 9\nCo-authored-by: Bo <bo@example.org>"),
];

fn rules(style: Style) -> ChangelogRules {
    ChangelogRules { links: Links::to_page(PAGE).unwrap(), ..ChangelogRules::of_style(style) }
}

#[track_caller]
fn check_all(rules: &ChangelogRules, messages: &[(&str, &str)], expected: &str) {
    let section = rendered(rules, "1.2.0", messages);
    // The links are long and always the same.
    let shown = section.text.replace(PAGE, "P");
    let shown = messages
        .iter()
        .fold(shown, |shown, (id, _)| shown.replace(&format!("{id:0<40}"), id.get(..3).unwrap_or(id)));
    assert_eq!(shown, expected);
    let rendered_again = rendered(rules, "1.2.0", messages);
    assert_eq!(rendered_again, section, "the same bytes again");
}

#[test]
fn keep_a_changelog() {
    check_all(
        &rules(Style::KeepAChangelog),
        MESSAGES,
        "## [1.2.0] - 2020-02-07\n\n\
         ### Added\n\n\
         - **ui:** add colours ([#12](P/pull/12)) ([22222222](P/commit/222))\n\
         - **Breaking:** themes ([44444444](P/commit/444))\n  themes have to be written anew\n\n\
         ### Changed\n\n\
         - faster reads, see ABC-7 ([55555555](P/commit/555))\n\
         - feat: six ([66666666](P/commit/666))\n\
         - **Breaking:** a new runner is needed ([99999999](P/commit/999))\n\n\
         ### Fixed\n\n\
         - **db:** mend the index ([11111111](P/commit/111), closes [#1](P/issues/1), [#2](P/issues/2))\n\
         - **Breaking:** **api:** drop the old call ([33333333](P/commit/333))\n\
         - mend it ([aaaaaaaa](P/commit/aaa))\n",
    );
    // Without links no commit is named, and no address made up.
    check_all(
        &ChangelogRules::of_style(Style::KeepAChangelog),
        &[("11111111", "fix: mend the index (#3)\n\nCloses #1"), ("2", "feat: add")],
        "## [1.2.0] - 2020-02-07\n\n### Added\n\n- add\n\n### Fixed\n\n- mend the index (#3) (closes #1)\n",
    );
    check_all(&rules(Style::KeepAChangelog), &[], "## [1.2.0] - 2020-02-07\n");
}

#[test]
fn conventional_changelog() {
    check_all(
        &rules(Style::ConventionalChangelog),
        MESSAGES,
        "## [1.2.0](P/compare/v1.1.0...v1.2.0) (2020-02-07)\n\n\
         ### ⚠ BREAKING CHANGES\n\n\
         * a new runner is needed\n\
         * **api:** drop the old call\n\
         * themes have to be written anew\n\n\
         ### Features\n\n\
         * themes ([4444444](P/commit/444))\n\
         * **ui:** add colours ([#12](P/pull/12)) ([2222222](P/commit/222))\n\n\
         ### Bug Fixes\n\n\
         * **api:** drop the old call ([3333333](P/commit/333))\n\
         * **db:** mend the index ([1111111](P/commit/111)), closes [#1](P/issues/1) [#2](P/issues/2)\n\
         * mend it ([aaaaaaa](P/commit/aaa))\n\n\
         ### Performance Improvements\n\n\
         * faster reads, see ABC-7 ([5555555](P/commit/555))\n\n\
         ### Reverts\n\n\
         * feat: six ([6666666](P/commit/666))\n",
    );
    check_all(
        &ChangelogRules::of_style(Style::ConventionalChangelog),
        &[("11111111", "fix: mend\n\nCloses #1"), ("2", "docs: x")],
        "## 1.2.0 (2020-02-07)\n\n### Bug Fixes\n\n* mend (1111111), closes #1\n",
    );
}

#[test]
fn tickets_are_linked_where_they_stand() {
    let tickets = [
        ("ABC".to_owned(), TicketUrl::new("https://t.example.org/browse/{key}?x=1").unwrap()),
        ("bug".to_owned(), TicketUrl::new("https://b.example.org/{id}").unwrap()),
    ];
    let rules = ChangelogRules { tickets: tickets.into(), ..rules(Style::KeepAChangelog) };
    let key = |key: &str| format!("[{key}](https://t.example.org/browse/{key}?x=1)");
    let bug = |word: &str| format!("[{word} 9](https://b.example.org/9)");
    let issue = |number: u32| format!("[#{number}]({PAGE}/issues/{number})");
    let cases = [
        ("fix: do ABC-7", format!("do {}", key("ABC-7"))),
        ("feat: (ABC-7), really", format!("({}), really", key("ABC-7"))),
        ("feat: [ABC-7] do", format!("\\[{}\\] do", key("ABC-7"))),
        ("fix: abc-7, XABC-7, UTF-8, ABC-07, ABC-", "abc-7, XABC-7, UTF-8, ABC-07, ABC-".to_owned()),
        ("feat: bug 9: do", format!("{}: do", bug("bug"))),
        ("fix: do (Bug 9)", format!("do ({})", bug("Bug"))),
        ("fix: bug", "bug".to_owned()),
        ("fix: bug x and bug #9", format!("bug x and bug {}", issue(9))),
        ("fix: see #3.", format!("see {}.", issue(3))),
        ("feat: #3 (#12)", format!("{} ([#12]({PAGE}/pull/12))", issue(3))),
        ("fix: `#3` !4 #0 a#5", "`#3` !4 #0 a#5".to_owned()),
        ("fix: `x` (#12)", format!("`x` ([#12]({PAGE}/pull/12))")),
        // What only the message names stands beside the commit.
        ("fix: do\n\nRefs ABC-8, bug 9, #5", format!("do\u{0}, see {}, {}", key("ABC-8"), bug("bug"))),
        ("fix: do ABC-8\n\nCloses ABC-8", format!("do {}\u{0}, closes {0}", key("ABC-8"))),
    ];
    for (message, expected) in cases {
        let commit = format!("([11111111]({PAGE}/commit/{:0<40}", "11111111");
        let (text, more) = expected.split_once('\0').unwrap_or((&expected, ""));
        let title = if message.starts_with("feat") { "Added" } else { "Fixed" };
        let expected = format!("## [1.2.0] - 2020-02-07\n\n### {title}\n\n- {text} {commit}){more})\n");
        let changes = [change_with("11111111", message, &rules.ticket_keys())];
        assert_eq!(section_of(&rules, "1.2.0", &changes).text, expected, "{message:?}");
    }
}

#[test]
fn every_forge_has_its_paths() {
    let version = version("1.2.0");
    let cases = [
        (
            "https://github.com/a/b",
            "commit/",
            "issues/1",
            "pull/2",
            "compare/v1.1%29...v1.2.0",
            "releases/tag/v1",
        ),
        (
            "https://gitlab.com/a/b",
            "-/commit/",
            "-/issues/1",
            "-/merge_requests/2",
            "-/compare/v1.1%29...v1.2.0",
            "-/tags/v1",
        ),
        (
            "https://bitbucket.org/a/b",
            "commits/",
            "issues/1",
            "pull-requests/2",
            "branches/compare/v1.2.0%0Dv1.1%29",
            "commits/tag/v1",
        ),
        (
            "https://codeberg.org/a/b",
            "commit/",
            "issues/1",
            "pulls/2",
            "compare/v1.1%29...v1.2.0",
            "releases/tag/v1",
        ),
    ];
    for (page, commit, issue, pull, compare, tag) in cases {
        let links = Links::to_page(page).unwrap();
        assert_eq!(links.tag("v1"), Some(format!("{page}/{tag}")));
        let rules = ChangelogRules { links, ..ChangelogRules::of_style(Style::ConventionalChangelog) };
        let changes =
            [change("11111111", "fix: do\n\nCloses #1"), change("22222222", "fix: Merge pull request #2 x")];
        let changes = [
            changes[0].clone(),
            Change { text: "Merge pull request #2 from x".into(), ..changes[1].clone() },
        ];
        let release = Release { previous_tag: Some("v1.1)"), ..release(&version, "v1.2.0", &changes) };
        let text = render(&rules, &release).unwrap().text;
        for part in [commit, issue, pull, compare] {
            assert!(text.contains(&format!("]({page}/{part}")), "{part} in {text}");
        }
    }
    let gitlab = Links::Gitlab(WebUrl::new("https://git.example.org/a").unwrap());
    let rules = ChangelogRules { links: gitlab, ..ChangelogRules::of_style(Style::KeepAChangelog) };
    let text = rendered(&rules, "1.2.0", &[("1", "fix: do (!12) and #3 (#4)")]).text;
    let page = "https://git.example.org/a/-";
    let expected =
        format!("do ([!12]({page}/merge_requests/12)) and [#3]({page}/issues/3) ([#4]({page}/issues/4))");
    assert!(text.contains(&expected), "{text}");
    assert_eq!(Links::None.compare("a", "b"), None);
}

#[test]
fn addresses_of_tickets_are_checked() {
    for good in [
        "https://t.example.org/browse/{key}",
        "http://localhost:1/show_bug.cgi?id={id}",
        "https://t.org/a#{id}",
    ] {
        assert!(TicketUrl::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "https://t.example.org/browse/",
        "https://t.example.org/{key}/{id}",
        "https://t.example.org/{id}/{id}",
        "https://{key}.example.org/",
        "{key}",
        "javascript:{id}",
        "https://t.example.org/{id})",
        "https://t.example.org/{id} x",
        "https://ann:secret@t.example.org/{id}",
    ] {
        assert!(TicketUrl::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn authors_are_named_when_asked() {
    let messages: &[(&str, &str)] = &[(
        "11111111",
        "fix: mend\n\nCo-authored-by: Bo <bo@example.org>\nco-authored-by: Ann <ANN@example.org>\nCo-Authored-By: C*y\n",
    )];
    let changes: Vec<_> = messages.iter().map(|(id, message)| change(id, message)).collect();
    let version = version("1.2.0");
    let mut known = KnownAuthors::default();
    known.add(&[change("2", "feat: begin")]);
    let newcomers = known.add(&changes);
    let release = Release { newcomers: &newcomers, ..release(&version, "v1.2.0", &changes) };
    let cases = [
        (None, "", ""),
        (Some(AuthorRules::default()), " by Ann, Bo and C\\*y", ""),
        (
            Some(AuthorRules { mail: true, newcomers: Some("New".into()) }),
            " by Ann (`ann@example.org`), Bo (`bo@example.org`) and C\\*y",
            "\n### New\n\n- Bo (`bo@example.org`)\n- C\\*y\n",
        ),
    ];
    for (authors, by, list) in cases {
        let rules = ChangelogRules { authors, ..ChangelogRules::of_style(Style::KeepAChangelog) };
        let expected = format!("## [1.2.0] - 2020-02-07\n\n### Fixed\n\n- mend{by}\n{list}");
        assert_eq!(render(&rules, &release).unwrap().text, expected);
    }
    assert!(known.add(&changes).is_empty());
    let message = "fix: mend\n\nCo-authored-by: Bo <bo@example.org>\nCo-authored-by: C*y";
    let mut known = KnownAuthors::default();
    known.know(CommitText { commit: "1", author_name: "Ann", author_email: "ANN@example.org", message });
    assert!(known.add(&changes).is_empty());
}

#[test]
fn a_whole_changelog() {
    let (one, two) = (version("1.0.0"), version("1.1.0"));
    let (first, second) = (
        [change("1", "feat: begin")],
        [Change {
            author_name: "Bo".into(),
            author_email: "bo@example.org".into(),
            ..change("22222222", "fix: mend")
        }],
    );
    let unreleased = [change("3", "feat: more")];
    let releases = || {
        let newer = Release { previous_tag: Some("v1.0.0"), ..release(&two, "v1.1.0", &second) };
        [newer, Release { previous_tag: None, ..release(&one, "v1.0.0", &first) }]
    };
    let all = |style: Style, unreleased: &[Change]| {
        let newcomers = Some("New".to_owned());
        let authors = Some(AuthorRules { newcomers, mail: false });
        let rules = ChangelogRules { authors, ..rules(style) };
        render_all(&rules, releases(), Some(Unreleased { changes: unreleased })).unwrap().replace(PAGE, "P")
    };
    let id = |short: &str| format!("{short:0<40}");
    assert_eq!(
        all(Style::KeepAChangelog, &unreleased),
        format!(
            "# Changelog\n\n\
             All notable changes to this project are written down in this file.\n\n\
             Its form is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n\n\
             ## [Unreleased]\n\n### Added\n\n- more ([30000000](P/commit/{})) by Ann\n\n\
             ## [1.1.0] - 2020-02-07\n\n### Fixed\n\n- mend ([22222222](P/commit/{})) by Bo\n\n### New\n\n- Bo\n\n\
             ## [1.0.0] - 2020-02-07\n\n### Added\n\n- begin ([10000000](P/commit/{})) by Ann\n\n### New\n\n- Ann\n\n\
             [unreleased]: P/compare/v1.1.0...HEAD\n\
             [1.1.0]: P/compare/v1.0.0...v1.1.0\n\
             [1.0.0]: P/releases/tag/v1.0.0\n",
            id("3"),
            id("22222222"),
            id("1"),
        )
    );
    let clog = all(Style::Clog, &unreleased);
    assert!(
        clog.starts_with("<a name=\"unreleased\"></a>\n## Unreleased\n\n\n#### Features\n\n*   more"),
        "{clog}"
    );
    assert!(
        clog.contains(" by Bo\n\n#### New\n\n*   Bo\n\n\n\n<a name=\"1.0.0\"></a>\n## 1.0.0 (2020-02-07)\n"),
        "{clog}"
    );
    let conventional = all(Style::ConventionalChangelog, &[]);
    assert!(
        conventional.starts_with("## [1.1.0](P/compare/v1.0.0...v1.1.0) (2020-02-07)\n\n### Bug Fixes\n")
    );
    assert!(conventional.contains("\n* Bo\n\n## 1.0.0 (2020-02-07)\n\n"), "{conventional}");
    // Every section of a whole file is found in it again.
    for text in [clog, conventional, all(Style::KeepAChangelog, &[])] {
        for about in [&one, &two] {
            let found = cut(text.as_bytes(), about).unwrap();
            assert!(found.notes.contains(if about == &one { "begin" } else { "mend" }), "{text}");
        }
    }
    let empty = render_all(&rules(Style::KeepAChangelog), [], None).unwrap();
    assert!(empty.ends_with("\n\n## [Unreleased]\n"), "{empty}");
    assert_eq!(render_all(&rules(Style::Clog), [], None).unwrap(), "");
}

/// Texts that want to be more than text.
const HOSTILE: &[&str] = &[
    "x\n# heading\n## 9.9.9",
    "</a><script>alert(1)</script>",
    "[click](https://evil.example) ![i](https://evil.example/i.png)",
    "<https://evil.example> www.evil.example @everybody",
    "\u{1b}]8;;https://evil.example\u{7}x\u{1b}[2J\u{9b}31m",
    "**bold** _it_ ~~no~~ `code` `` ` ``",
    "{{ version }} {% for x in y %} {# z #}",
    "(#1](https://evil.example) [#1]: https://evil.example",
    "ABC-1](https://evil.example)",
    "<!-- open",
    "~~~ open",
    "\u{202e}thgir",
    "| a | b | &lt;b&gt; &#60;",
    "\\[x\\](y) \\",
    "---",
    "1. one",
];

/// Whatever a commit says, the section has the headings, the links and the lists that the style makes, and no more.
#[test]
fn hostile_commits_inject_nothing() {
    for style in [Style::Clog, Style::KeepAChangelog, Style::ConventionalChangelog, template()] {
        let tickets = [("ABC".to_owned(), TicketUrl::new("https://t.example.org/{key}").unwrap())];
        let rules = ChangelogRules {
            rest: Some("Rest".to_owned()),
            tickets: tickets.into(),
            authors: Some(AuthorRules { mail: true, newcomers: Some("New".to_owned()) }),
            ..rules(style.clone())
        };
        for text in HOSTILE {
            let messages = [
                format!("feat({}): x", text.lines().next().unwrap_or_default().replace(['(', ')', ':'], "")),
                format!(
                    "fix: {text}\n\nBREAKING CHANGE: {text}\n\nCloses {text}\nCo-authored-by: {text} <{text}>"
                ),
                text.to_string(),
            ];
            let mut changes: Vec<_> = messages
                .iter()
                .map(|message| change_with("11111111", message, &rules.ticket_keys()))
                .collect();
            changes[0].author_name = plain_text(text, Lines::Join).into_owned();
            changes[1].author_email = plain_text(text, Lines::Join).into_owned();
            let newcomers = KnownAuthors::default().add(&changes);
            let version = version("1.2.0");
            let release = Release { newcomers: &newcomers, ..release(&version, "v1.2.0", &changes) };
            let section = render(&rules, &release).unwrap();
            assert_harmless(&section.text, &format!("{style:?} of {text:?}"));
            let file = prepend(b"# Changelog\n\n## 1.0.0\n\n- x\n", &section).unwrap();
            assert_eq!(cut(&file, &version).unwrap().text, section.text, "{style:?} of {text:?}");
            assert_eq!(cut(&file, &super::version("1.0.0")).unwrap().notes, "- x\n");
        }
    }
}

/// Only links to our own pages, only the headings of a style, no HTML but clog's anchor.
fn assert_harmless(markdown: &str, about: &str) {
    assert!(plain_text(markdown, Lines::Keep) == markdown, "{about}: {markdown:?}");
    let titles = [
        "1.2.0",
        "1.2.0 (2020-02-07)",
        "[1.2.0] - 2020-02-07",
        "⚠ BREAKING CHANGES",
        "Breaking Changes",
        "Features",
        "Bug Fixes",
        "Rest",
        "New",
        "Added",
        "Changed",
        "Fixed",
    ];
    let mut heading: Option<String> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap_or_default();
                assert!(titles.contains(&text.as_str()), "{about}: heading {text:?} in {markdown}");
            }
            Event::Text(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let ours = dest_url.starts_with(PAGE) || dest_url.starts_with("https://t.example.org/ABC-");
                assert!(ours && !dest_url.contains("evil"), "{about}: link to {dest_url} in {markdown}");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let anchor = ["<a name=\"1.2.0\">", "</a>"];
                assert!(anchor.contains(&html.trim()), "{about}: {html} in {markdown}");
            }
            Event::Start(Tag::Image { .. } | Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::Table(_))
            | Event::Rule => {
                panic!("{about}: {event:?} in {markdown}")
            }
            _ => {}
        }
    }
}

fn template() -> Style {
    Style::Template(ChangelogTemplate { file: "changelog.md.j2".into(), text: TEMPLATE.into() })
}

const TEMPLATE: &str = r#"
## {{ version }}{% if date %} ({{ date }}){% endif +%}

{% for one in breaking %}
{% if loop.first %}### Breaking Changes

{% endif %}
* {{ one.text }}
{% endfor %}
{% for section in sections %}

### {{ section.title }}

{% for change in section.changes %}
* {% if change.scope %}**{{ change.scope }}**: {% endif %}{{ change.linked }} ({{ change.sources }})
{%- for author in change.authors %}, {{ author.name }}{% endfor +%}
{% endfor %}
{% endfor %}
{% for person in newcomers %}
{% if loop.first %}

### New

{% endif %}
* {{ person.name }}
{% endfor %}
"#;

#[test]
fn a_template_of_the_team() {
    let rules = rules(template());
    let Style::Template(template) = &rules.style else { unreachable!() };
    template.check(&rules, &version("1.2.0")).unwrap();
    check_all(
        &rules,
        &[
            ("11111111", "fix(db): mend *it*\n\nCloses #1"),
            ("22222222", "feat!: drop (#2)"),
            ("3", "docs: x"),
        ],
        "## 1.2.0 (2020-02-07)\n\n\
         ### Breaking Changes\n\n\
         * drop (#2)\n\n\
         ### Features\n\n\
         * drop ([#2](P/pull/2)) ([22222222](P/commit/222)), Ann\n\n\
         ### Bug Fixes\n\n\
         * **db**: mend \\*it\\* ([11111111](P/commit/111), closes [#1](P/issues/1)), Ann\n",
    );
    let version = version("1.2.0");
    let release = release(&version, "v1.2.0", &[]);
    let text = render_all(&rules, [release], Some(Unreleased { changes: &[change("1", "fix: x")] })).unwrap();
    assert!(text.starts_with("## Unreleased\n\n\n### Bug Fixes\n"), "{text}");
}

#[test]
fn mistakes_of_a_template_are_told() {
    let long = "x".repeat(300);
    let long = format!("# {{{{ version }}}}\n{{% for a in range(99999) %}}{long}{{% endfor %}}");
    let cases = [
        ("## {{ version }}\n{{ versoin }}", "line 2: there is no name `versoin` (there are version,"),
        ("## {{ version }}\n{% if not released %}{{ nothing }}{% endif %}", "there is no name `nothing`"),
        (
            "## {{ version }}\n{% for one in changes %}\n{{ one.nme }}{% endfor %}",
            "line 3: a name is used that has no value",
        ),
        ("## {{ version }}\n{{ sections }}", "line 2: a list or a mapping is written"),
        ("## {{ version }}\n{% for %}", "line 2: "),
        ("## {{ version }}\n{{ previous_tag.x }}", "line 2: a name is used that has no value"),
        ("## {{ version }}\n{% include 'x' %}", "line 2: "),
        ("Version {{ version }}", "let its first line be a heading such as `## 1.2.0 (2000-12-31)`"),
        ("# {{ version }}\n## 1.0.0\n", "no other heading of the first three levels name a version"),
        ("# {{ version }}\n```\n", "gives no section"),
        ("text\n# {{ version }}\n", "gives no section"),
        (&long, "bytes for one release"),
        (
            "# {{ version }}\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "out of fuel",
        ),
    ];
    let rules = rules(Style::Clog);
    for (text, expected) in cases {
        let template = ChangelogTemplate { file: "c.j2".into(), text: text.into() };
        let error = template.check(&rules, &version("1.2.0")).unwrap_err().to_string();
        assert!(
            error.starts_with("the changelog's template c.j2") && error.contains(expected),
            "{text:?}: {error}"
        );
    }
    let large = ChangelogTemplate { file: "c.j2".into(), text: "x".repeat(TEMPLATE_MAX_BYTES + 1) };
    assert!(
        large.check(&rules, &version("1.2.0")).unwrap_err().to_string().contains("at most 65536 are read")
    );
}

/// What a template is given is escaped until it says otherwise; a mail address is only there when it is asked for.
#[test]
fn a_template_gets_harmless_values() {
    let with = |mail: bool, text: &str| {
        let text = format!("## {{{{ version }}}}\n\n{text}\n");
        let style = Style::Template(ChangelogTemplate { file: "c.j2".into(), text });
        let rules = ChangelogRules { authors: Some(AuthorRules { mail, newcomers: None }), ..rules(style) };
        let version = version("1.2.0");
        let changes = [change("1", "feat: <b> **x** [y](z)")];
        render(&rules, &release(&version, "v1.2.0", &changes)).map(|section| section.text)
    };
    let cases = [
        ("{{ changes[0].text }}", "\\<b> \\*\\*x\\*\\* \\[y\\](z)"),
        ("{{ changes[0].text | upper }}", "\\<B> \\*\\*X\\*\\* \\[Y\\](Z)"),
        ("{{ '* ' ~ changes[0].text }}", "\\* \\<b> \\*\\*x\\*\\* \\[y\\](z)"),
        ("{{ changes[0].text | safe }}", "<b> **x** [y](z)"),
        ("{{ previous_tag }}..{{ tag }}", "v1.1.0..v1.2.0"),
        ("{{ compare }}", "https://github.com/acme/app/compare/v1.1.0...v1.2.0"),
        ("{{ changes | length }} {{ released }} {{ changes[0].scope }}.", "1 True ."),
        ("{{ authors[0].name }}", "Ann"),
        (
            "{{ changes[0].tickets | length }}{{ changes[0].type }}{{ changes[0].commit }}",
            "0feat1000000000000000000000000000000000000000",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(with(false, text).unwrap(), format!("## 1.2.0\n\n{expected}\n"), "{text}");
    }
    assert!(with(false, "{{ authors[0].mail }}").is_err());
    assert_eq!(with(true, "{{ authors[0].mail }}").unwrap(), "## 1.2.0\n\n`ann@example.org`\n");
}
