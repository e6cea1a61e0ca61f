//! `clients` of a DRM card in debugfs: who has it open, and who is master.
//!
//! In: the table (`drm_clients_info()` in drivers/gpu/drm/drm_debugfs.c).
//! Out: the masters. A program may name itself as it likes, with spaces and
//! columns of its own, so a row is read from its end.

use crate::fact::Why;
use crate::parse::attribute::{malformed, number};
use crate::usage::Master;

/// The masters among the clients of a card. Later kernels append columns, so
/// the heading says how many there are.
pub fn masters(text: &str) -> Result<Vec<Master>, Why> {
    let mut lines = text.lines();
    let heading = lines.next().ok_or(Why::Truncated)?;
    let columns: Vec<&str> = heading.split_ascii_whitespace().collect();
    let at = |name: &str| columns.iter().position(|column| *column == name);
    let pid = at("tgid").or_else(|| at("pid"));
    let (Some(0), Some(pid), Some(master)) = (at("command"), pid, at("master")) else {
        return Err(malformed(heading));
    };
    let mut masters = Vec::new();
    for line in lines {
        let (program, words) = split(line, columns.len() - 1).ok_or_else(|| malformed(line))?;
        // The first column is the program, which is none of the words.
        match words[master - 1] {
            "y" => {
                let pid = number(words[pid - 1]).map_err(|_| malformed(line))?;
                masters.push(Master { pid, program: program.to_owned() });
            }
            "n" => {}
            _ => return Err(malformed(line)),
        }
    }
    Ok(masters)
}

/// The last `count` words of a row, and what is before them.
fn split(line: &str, count: usize) -> Option<(&str, Vec<&str>)> {
    let mut rest = line.trim_end();
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let (before, word) = rest.rsplit_once(' ')?;
        words.push(word);
        rest = before.trim_end();
    }
    words.reverse();
    Some((rest.trim(), words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\
             command   pid dev master a   uid      magic
      systemd-logind   812   0   y    y     0          0
         gnome-shell  1893 128   n    n  1000          0
";
    const NEW: &str = "\
             command  tgid dev master a   uid      magic                                                             name                   id
       1 2 0 n y 3 4  1893   0   y    y  1000          1                                                          <unset>                    7
";

    #[test]
    fn who_is_master() {
        let master = |pid, program: &str| Master { pid, program: program.to_owned() };
        assert_eq!(masters(OLD), Ok(vec![master(812, "systemd-logind")]));
        assert_eq!(masters(NEW), Ok(vec![master(1893, "1 2 0 n y 3 4")]));
        assert_eq!(masters("  command tgid dev master a uid magic\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_such_table() {
        assert_eq!(masters(""), Err(Why::Truncated));
        for text in ["alas\n", "command tgid dev\n", "command tgid dev master a\nx 1 0\n"] {
            assert!(matches!(masters(text), Err(Why::Malformed(_))), "{text:?}");
        }
        let half = &OLD[..OLD.len() - 40];
        assert!(masters(half).is_err());
    }
}
