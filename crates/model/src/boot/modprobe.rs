//! modprobe's settings: what modules may be loaded, how, and after what.
//!
//! In: the files of modprobe.d(5), each with its folder. Out: their rules,
//! each with file and line, and answers about a module. Never: modules' own
//! aliases, or arguments of the kernel (`modprobe.blacklist=`).
//!
//! The rules are those of kmod's `libkmod/libkmod-config.c`.

use std::collections::BTreeMap;
use std::fmt;

use super::pattern::matches;

/// A file of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    pub folder: &'a str,
    pub name: &'a str,
    pub text: &'a str,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub folder: String,
    pub name: String,
    /// Its first line, counted from one.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.folder, self.name)
    }
}

/// A rule. Names of modules have underscores only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The module is not loaded for a device; by name it is.
    Blacklist(String),
    Alias {
        pattern: String,
        module: String,
    },
    Options {
        module: String,
        options: String,
    },
    /// Runs instead of loading the module.
    Install {
        pattern: String,
        command: String,
    },
    Remove {
        pattern: String,
        command: String,
    },
    Softdep {
        pattern: String,
        pre: Vec<String>,
        post: Vec<String>,
    },
}

/// What is loaded before a module, and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softdep<'a> {
    pub pre: &'a [String],
    pub post: &'a [String],
    pub place: &'a Place,
}

/// All rules that count, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    rules: Vec<(Rule, Place)>,
}

impl Settings {
    /// Reads files. Folders come in the order of their files here: of files
    /// with one name, the first counts. They are read in the order of names.
    pub fn read(files: &[File<'_>]) -> Self {
        let mut by_name: BTreeMap<&str, &File<'_>> = BTreeMap::new();
        for file in files.iter().filter(|file| Self::is_read(file.name)) {
            by_name.entry(file.name).or_insert(file);
        }
        let rules = by_name.values().flat_map(|file| {
            lines(file.text).filter_map(|(line, text)| {
                let (folder, name) = (file.folder.to_owned(), file.name.to_owned());
                Some((rule(&text)?, Place { folder, name, line }))
            })
        });
        Self { rules: rules.collect() }
    }

    /// Whether a file of such a folder is read, by its name.
    pub fn is_read(name: &str) -> bool {
        !name.starts_with('.') && (name.ends_with(".conf") || name.ends_with(".alias"))
    }

    /// All rules, in the order in which they are read.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, &Place)> {
        self.rules.iter().map(|(rule, place)| (rule, place))
    }

    /// Where a module is kept from being loaded for its devices.
    pub fn blacklisted(&self, module: &str) -> Option<&Place> {
        let module = underscores(module);
        self.first(|rule| matches!(rule, Rule::Blacklist(of) if *of == module)).map(|(_, at)| at)
    }

    /// Where a module's name is an alias of nothing (`alias nouveau off`), so
    /// that it is not found by name.
    pub fn aliased_off(&self, module: &str) -> Option<&Place> {
        let module = underscores(module);
        let is_off = |rule: &Rule| match rule {
            Rule::Alias { pattern, module: to } => to == "off" && matches(&module, pattern),
            _ => false,
        };
        self.first(is_off).map(|(_, at)| at)
    }

    /// What runs instead of loading a module: the first rule counts.
    pub fn install(&self, module: &str) -> Option<(&str, &Place)> {
        let module = underscores(module);
        self.rules().find_map(|(rule, place)| match rule {
            Rule::Install { pattern, command } if matches(&module, pattern) => {
                Some((command.as_str(), place))
            }
            _ => None,
        })
    }

    /// Where a module is kept from being loaded at all: what runs instead does
    /// nothing (`install nouveau /bin/false`).
    pub fn disabled(&self, module: &str) -> Option<&Place> {
        let (command, place) = self.install(module)?;
        let program = command.split_whitespace().next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        ["false", "true", ":"].contains(&name).then_some(place)
    }

    /// A module's options, line by line; the kernel takes all of them.
    pub fn options(&self, module: &str) -> impl Iterator<Item = (&str, &Place)> {
        let module = underscores(module);
        self.rules().filter_map(move |(rule, place)| match rule {
            Rule::Options { module: of, options } if *of == module => {
                Some((options.as_str(), place))
            }
            _ => None,
        })
    }

    /// What is loaded along with a module: the first rule counts.
    pub fn softdep(&self, module: &str) -> Option<Softdep<'_>> {
        let module = underscores(module);
        self.rules().find_map(|(rule, place)| match rule {
            Rule::Softdep { pattern, pre, post } if matches(&module, pattern) => {
                Some(Softdep { pre, post, place })
            }
            _ => None,
        })
    }

    fn first(&self, is: impl Fn(&Rule) -> bool) -> Option<(&Rule, &Place)> {
        self.rules().find(|(rule, _)| is(rule))
    }
}

/// Lines with their numbers; a backslash at the end joins the next one.
fn lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = text.split('\n').enumerate();
    std::iter::from_fn(move || {
        let (index, first) = lines.next()?;
        let mut whole = first.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next);
        }
        Some((index + 1, whole))
    })
}

/// The rule of a line; nothing where it is a comment or not known to modprobe.
fn rule(line: &str) -> Option<Rule> {
    if line.starts_with('#') {
        return None;
    }
    let (command, rest) = word(line)?;
    let (name, rest) = word(rest)?;
    let module = underscores(name);
    let text = rest.trim_start_matches([' ', '\t']).to_owned();
    Some(match command {
        "blacklist" => Rule::Blacklist(module),
        "alias" => Rule::Alias { pattern: module, module: underscores(word(rest)?.0) },
        "options" if !text.is_empty() => Rule::Options { module, options: text },
        "install" if !text.is_empty() => Rule::Install { pattern: module, command: text },
        "remove" if !text.is_empty() => Rule::Remove { pattern: module, command: text },
        "softdep" => {
            let (mut pre, mut post) = (Vec::new(), Vec::new());
            let mut list = None;
            for word in text.split([' ', '\t']).filter(|word| !word.is_empty()) {
                match (word, &mut list) {
                    ("pre:", _) => list = Some(&mut pre),
                    ("post:", _) => list = Some(&mut post),
                    (word, Some(list)) => list.push(underscores(word)),
                    (_, None) => {}
                }
            }
            Rule::Softdep { pattern: module, pre, post }
        }
        _ => return None,
    })
}

/// The first word of a text, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A name with underscores for hyphens; between brackets they stay, as they
/// mean a range there (`underscores()` in kmod's shared/util.c).
fn underscores(name: &str) -> String {
    let mut is_class = false;
    let letter = |c| {
        is_class = (is_class || c == '[') && c != ']';
        if c == '-' && !is_class { '_' } else { c }
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(text: &str) -> Settings {
        Settings::read(&[File { folder: "etc", name: "a.conf", text }])
    }

    #[test]
    fn questions() {
        let settings = settings(
            "# nothing\nblacklist nouveau\nblacklist lbm-nouveau\n\toptions  nouveau\tmodeset=0\n\
             alias nouveau off\noptions vfio-pci ids=10de:2204,10de:1aef \\\n  disable_vga=1\n\
             install nvidia_drm /bin/false\ninstall nv* /usr/bin/true\noptions vfio_pci x=1\n\
             softdep nvidia pre: vfio-pci a post: b\nsoftdep nvidia pre: c\nremove x rm y\n\
             #blacklist no\\\nblacklist neither\n bogus line\nblacklist\n",
        );
        let line = |place: Option<&Place>| place.map(|place| place.line);
        assert_eq!(line(settings.blacklisted("nouveau")), Some(2));
        assert_eq!(line(settings.blacklisted("lbm_nouveau")), Some(3));
        assert_eq!(line(settings.blacklisted("no")), None);
        assert_eq!(line(settings.blacklisted("neither")), None);
        assert_eq!(line(settings.aliased_off("nouveau")), Some(5));
        assert_eq!(line(settings.aliased_off("nvidia")), None);
        assert_eq!(line(settings.disabled("nvidia-drm")), Some(8));
        assert_eq!(line(settings.disabled("nvidia")), Some(9));
        assert_eq!(line(settings.disabled("amdgpu")), None);
        let options: Vec<_> = settings.options("vfio_pci").map(|(o, at)| (o, at.line)).collect();
        let first = "ids=10de:2204,10de:1aef   disable_vga=1";
        assert_eq!(options, [(first, 6), ("x=1", 10)]);
        let Softdep { pre, place, .. } = settings.softdep("nvidia").unwrap();
        assert_eq!((pre, place.line), (&["vfio_pci".to_owned(), "a".to_owned()][..], 11));
        assert_eq!(settings.rules().count(), 11);
    }

    /// What `modprobe --showconfig` of kmod 30 prints for the same lines.
    #[test]
    fn as_kmod_reads_them() {
        let settings = settings(
            "blacklist cr\r\noptions tr a=1  \nblacklist two words\nalias one\ninstall q\n\
             softdep w x y pre: z\nalias pci:v00-[0-9]* a-b\noptions z\n # x\n",
        );
        let text = str::to_owned;
        let rules: Vec<_> = settings.rules().map(|(rule, _)| rule.clone()).collect();
        let want = [
            Rule::Blacklist(text("cr\r")),
            Rule::Options { module: text("tr"), options: text("a=1  ") },
            Rule::Blacklist(text("two")),
            Rule::Softdep { pattern: text("w"), pre: vec![text("z")], post: vec![] },
            Rule::Alias { pattern: text("pci:v00_[0-9]*"), module: text("a_b") },
        ];
        assert_eq!(rules, want);
    }

    #[test]
    fn which_files_count() {
        let file = |folder, name, text| File { folder, name, text };
        let settings = Settings::read(&[
            file("/etc/modprobe.d", "b.conf", "install x two"),
            file("/etc/modprobe.d", "c.conf", ""),
            file("/etc/modprobe.d", "d.conf~", "blacklist no"),
            file("/lib/modprobe.d", "c.conf", "blacklist hidden"),
            file("/lib/modprobe.d", "a.conf", "install x one\nblacklist y"),
        ]);
        assert_eq!(
            settings.install("x").map(|(command, at)| (command, &*at.folder)),
            Some(("one", "/lib/modprobe.d"))
        );
        assert_eq!(settings.blacklisted("y").map(|at| at.line), Some(2));
        assert_eq!((settings.blacklisted("hidden"), settings.blacklisted("no")), (None, None));
    }

    proptest! {
        #[test]
        fn garbage(text in "((blacklist|alias|options|install|softdep|remove|pre:|post:|[a-c*\\[\\]-]{1,3}|#|\\\\)[ \t\n]){0,20}", other: String) {
            for text in [&text, &other] {
                let settings = settings(text);
                let lines = text.split('\n').count();
                prop_assert!(settings.rules().all(|(_, place)| (1..=lines).contains(&place.line)));
                for module in ["a", "b-c"] {
                    let _ = (settings.blacklisted(module), settings.aliased_off(module));
                    let _ = (settings.disabled(module), settings.softdep(module));
                    prop_assert!(settings.options(module).all(|(options, _)| !options.is_empty()));
                }
            }
        }
    }
}
