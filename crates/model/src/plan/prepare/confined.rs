//! What libvirt's guests may read beyond their own files: ROM files of devices.
//!
//! In: a folder. Out: a rule of AppArmor's in the file that its package leaves
//! to the administrator; for other security modules, what to type.

use thiserror::Error;

use super::{Preparation, Unplanned};
use crate::boot::source::whole;
use crate::check::Subject;
use crate::ours::APPARMOR;
use crate::plan::write;

/// Why no rule can be written for a folder.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoFolder {
    #[error("`{0}` is no absolute path of a folder")]
    Relative(String),
    #[error("`{0}` is a folder of the whole system: libvirt's guests would read all of it")]
    TooWide(String),
    /// Whatever means something in a rule (apparmor.d(5), globbing).
    #[error("`{0}` has characters in it that a rule of AppArmor takes for others")]
    NotPlain(String),
}

pub(super) fn plan(
    folder: &str,
    subject: &Subject<'_>,
    preparation: &mut Preparation,
) -> Result<(), Unplanned> {
    let folder = plain(folder)?;
    let Some(modules) = subject.setup.security.known() else {
        preparation.by_hand.push(format!(
            "let libvirt's guests read {folder}, if a security module confines them"
        ));
        return Ok(());
    };
    let has = |name: &str| modules.iter().any(|module| module == name);
    if has("selinux") {
        preparation.by_hand.push(format!(
            "semanage fcontext -a -t virt_content_t '{folder}(/.*)?' && restorecon -R {folder}"
        ));
    }
    if has("apparmor") {
        let boot = &subject.setup.boot;
        let path = boot.path(APPARMOR);
        let text = boot.files.get(&path).map(|file| whole(&path, file)).transpose()?;
        let new = with_rule(text.as_deref().unwrap_or_default(), folder);
        preparation.steps.extend(write(boot, &path, Some(&new)));
    }
    Ok(())
}

fn plain(folder: &str) -> Result<&str, NoFolder> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-.+,:=".contains(c);
    let trimmed = folder.trim_end_matches('/');
    let steps_up = trimmed.split('/').any(|part| part == "..");
    match trimmed {
        _ if !folder.starts_with('/') || steps_up => Err(NoFolder::Relative(folder.to_owned())),
        path if path.split('/').filter(|part| !part.is_empty() && *part != ".").count() < 2 => {
            Err(NoFolder::TooWide(folder.to_owned()))
        }
        path if path.chars().all(is_plain) => Ok(path),
        _ => Err(NoFolder::NotPlain(folder.to_owned())),
    }
}

/// The file with a rule more; as it is where it has that rule. libvirt's
/// profiles include it whenever a guest starts.
fn with_rule(text: &str, folder: &str) -> String {
    let rule = format!("{folder}/** rk,");
    if text.lines().any(|line| line.trim() == rule) {
        return text.to_owned();
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}# Of `passthru prepare`:\n{rule}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_added_once() {
        for (text, want) in [
            ("", "# Of `passthru prepare`:\n/srv/roms/** rk,\n"),
            ("# mine", "# mine\n# Of `passthru prepare`:\n/srv/roms/** rk,\n"),
            ("  /srv/roms/** rk,\n", "  /srv/roms/** rk,\n"),
        ] {
            assert_eq!(with_rule(text, "/srv/roms"), want);
            assert_eq!(with_rule(want, "/srv/roms"), want);
        }
    }

    #[test]
    fn folders_that_a_rule_would_read_otherwise() {
        assert_eq!(plain("/srv/roms/"), Ok("/srv/roms"));
        for folder in ["/", "/etc", "//root/", "/./etc"] {
            assert!(matches!(plain(folder), Err(NoFolder::TooWide(_))), "{folder}");
        }
        for folder in ["roms", "", "/srv/../etc"] {
            assert!(matches!(plain(folder), Err(NoFolder::Relative(_))), "{folder}");
        }
        for folder in ["/srv/my roms", "/srv/*", "/srv/{a,b}", "/srv/\"x", "/srv/@{HOME}", "/a\n/b"]
        {
            assert!(matches!(plain(folder), Err(NoFolder::NotPlain(_))), "{folder}");
        }
    }
}
