//! Who may get what: one guest per function, one guest per IOMMU group.
//!
//! In: what guests hold, what is in doubt, and what somebody wants. Out:
//! what is held then, or every reason against it. A pure function: no
//! machine, no database. The database's keys say the same rule once more.

use std::collections::{BTreeMap, BTreeSet};

use host::observe::InDoubt;
use model::reason::{Code, Reason};
use model::verdict::{Kind, Verdict, verdict};
use model::{Bdf, GroupId, Snapshot};

/// What guests hold, and what nobody may touch now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    held: BTreeMap<Bdf, Holding>,
    doubtful: BTreeSet<Strand>,
}

/// One function in a guest's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub guest: String,
    pub group: GroupId,
}

/// What is in doubt, or not, as a whole: a group moves together, and a
/// function without one moves alone. Steps that concern no function (a
/// service) belong to the whole plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strand {
    Group(GroupId),
    Function(Bdf),
    Plan,
}

impl Strand {
    /// The strand of a step.
    pub fn of(bdf: Option<Bdf>, group: Option<GroupId>) -> Self {
        match (group, bdf) {
            (Some(group), _) => Self::Group(group),
            (None, Some(bdf)) => Self::Function(bdf),
            (None, None) => Self::Plan,
        }
    }
}

impl Holdings {
    /// What is held and what is in doubt, as the database has it.
    pub fn new(
        held: impl IntoIterator<Item = (Bdf, Holding)>,
        doubtful: impl IntoIterator<Item = Strand>,
    ) -> Self {
        Self { held: held.into_iter().collect(), doubtful: doubtful.into_iter().collect() }
    }

    /// Who holds a function.
    pub fn holder(&self, bdf: Bdf) -> Option<&str> {
        self.held.get(&bdf).map(|holding| holding.guest.as_str())
    }

    /// The functions that a guest holds, in bus order.
    pub fn of(&self, guest: &str) -> Vec<Bdf> {
        let held = self.held.iter().filter(|(_, holding)| holding.guest == guest);
        held.map(|(bdf, _)| *bdf).collect()
    }

    /// The guests that hold some function of a group: one at most.
    pub fn guests_of(&self, group: GroupId) -> BTreeSet<&str> {
        let members = self.held.values().filter(|holding| holding.group == group);
        members.map(|holding| holding.guest.as_str()).collect()
    }

    /// What is to be left alone by whoever looks at the machine.
    pub fn in_doubt(&self) -> InDoubt {
        let mut in_doubt = InDoubt::default();
        for strand in &self.doubtful {
            match strand {
                Strand::Group(group) => drop(in_doubt.groups.insert(*group)),
                Strand::Function(bdf) => drop(in_doubt.functions.insert(*bdf)),
                Strand::Plan => {}
            }
        }
        in_doubt
    }

    /// Every reason why `guest` (a person, when `None`) may not have these
    /// functions moved.
    pub fn against(
        &self,
        guest: Option<&str>,
        functions: &[(Bdf, Option<GroupId>)],
    ) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (bdf, group) in functions {
            if self.doubtful.contains(&Strand::of(Some(*bdf), *group)) {
                reasons.push(in_doubt(*bdf));
            }
            let sharing = self.held.iter().filter(|(other, holding)| {
                *other == bdf || group.is_some_and(|group| holding.group == group)
            });
            for (other, holding) in sharing {
                if guest != Some(holding.guest.as_str()) {
                    reasons.push(assigned(*bdf, *other, holding));
                }
            }
        }
        reasons
    }

    /// The verdict on a function as things are: what a guest holds, and what
    /// is in doubt, is not to be had.
    pub fn verdict(&self, snapshot: &Snapshot, bdf: Bdf) -> Verdict {
        let mut verdict = verdict(snapshot, bdf);
        let group = snapshot.get(bdf).and_then(|function| function.group_id());
        let reasons = self.against(None, &[(bdf, group)]);
        if !reasons.is_empty() {
            verdict.kind = Kind::Not;
            // A guest of ours is known by its name.
            verdict.reasons.retain(|reason| reason.code != Code::Assigned);
            verdict.reasons.splice(..0, reasons);
        }
        verdict
    }

    /// Every reason why `guest` may not be given `named`, for which `moving`
    /// have to move.
    pub fn against_giving(
        &self,
        guest: &str,
        moving: &[(Bdf, Option<GroupId>)],
        named: &[(Bdf, Option<GroupId>)],
    ) -> Vec<Reason> {
        let mut reasons = self.against(Some(guest), moving);
        // Asking for it twice is a mistake of the asker's, not a second hold.
        for (bdf, _) in named {
            if let Some(holding) = self.held.get(bdf).filter(|holding| holding.guest == guest) {
                reasons.push(assigned(*bdf, *bdf, holding));
            }
        }
        reasons
    }

    /// What is held when `guest` has these functions, too.
    pub fn give(&self, guest: &str, functions: &[(Bdf, GroupId)]) -> Result<Self, Vec<Reason>> {
        let wanted: Vec<_> = functions.iter().map(|(bdf, group)| (*bdf, Some(*group))).collect();
        let reasons = self.against_giving(guest, &wanted, &wanted);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let mut next = self.clone();
        for (bdf, group) in functions {
            let holding = Holding { guest: guest.to_owned(), group: *group };
            next.held.insert(*bdf, holding);
        }
        Ok(next)
    }

    /// What is held when these functions came back.
    #[must_use]
    pub fn take_back(&self, functions: &[Bdf]) -> Self {
        let mut next = self.clone();
        next.held.retain(|bdf, _| !functions.contains(bdf));
        next
    }

    /// What is held when a guest ended.
    #[must_use]
    pub fn end(&self, guest: &str) -> Self {
        let mut next = self.clone();
        next.held.retain(|_, holding| holding.guest != guest);
        next
    }
}

fn in_doubt(bdf: Bdf) -> Reason {
    let text = "an earlier change to it has not come back from the kernel";
    let hint = "`passthru recover` settles it once the kernel lets go; a reboot does, too";
    Reason::at(Code::InDoubt, bdf, text, hint)
}

fn assigned(bdf: Bdf, held: Bdf, holding: &Holding) -> Reason {
    let guest = &holding.guest;
    let text = if bdf == held {
        format!("guest {guest} holds it")
    } else {
        format!("guest {guest} holds {held} of the same IOMMU group")
    };
    let hint = format!("`passthru detach {held} --vm {guest}`, or stop {guest}, first");
    Reason::at(Code::Assigned, bdf, text, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUESTS: [&str; 3] = ["a", "b", "c"];

    /// One thing that happens to six functions in three groups.
    #[derive(Clone, Debug)]
    enum Event {
        Give { guest: usize, functions: Vec<u8> },
        TakeBack { functions: Vec<u8> },
        End { guest: usize },
        Doubt { group: u32 },
        Settle,
        Reboot,
    }

    fn function(index: u8) -> (Bdf, GroupId) {
        (Bdf::new(0, 1, index / 2, index % 2).unwrap(), GroupId(u32::from(index) / 2))
    }

    fn event() -> impl Strategy<Value = Event> {
        let functions = || proptest::collection::vec(0..6u8, 1..4);
        prop_oneof![
            4 => (0..3usize, functions()).prop_map(|(guest, functions)| Event::Give { guest, functions }),
            2 => functions().prop_map(|functions| Event::TakeBack { functions }),
            1 => (0..3usize).prop_map(|guest| Event::End { guest }),
            1 => (0..3u32).prop_map(|group| Event::Doubt { group }),
            1 => Just(Event::Settle),
            1 => Just(Event::Reboot),
        ]
    }

    fn next(now: &Holdings, event: &Event) -> Holdings {
        let functions = |indices: &[u8]| indices.iter().map(|index| function(*index)).collect();
        match event {
            Event::Give { guest, functions: wanted } => {
                let wanted: Vec<(Bdf, GroupId)> = functions(wanted);
                now.give(GUESTS[*guest], &wanted).unwrap_or_else(|_| now.clone())
            }
            Event::TakeBack { functions: back } => {
                let back: Vec<(Bdf, GroupId)> = functions(back);
                now.take_back(&back.into_iter().map(|(bdf, _)| bdf).collect::<Vec<_>>())
            }
            Event::End { guest } => now.end(GUESTS[*guest]),
            Event::Doubt { group } => {
                let mut now = now.clone();
                now.doubtful.insert(Strand::Group(GroupId(*group)));
                now
            }
            Event::Settle => Holdings { doubtful: BTreeSet::new(), ..now.clone() },
            Event::Reboot => Holdings::default(),
        }
    }

    proptest! {
        #[test]
        fn no_function_and_no_group_has_two_guests(events in proptest::collection::vec(event(), 0..40)) {
            let mut now = Holdings::default();
            for event in &events {
                let then = next(&now, event);
                for group in 0..3 {
                    prop_assert!(then.guests_of(GroupId(group)).len() <= 1, "{event:?} on {now:?}");
                }
                for (bdf, holding) in &then.held {
                    let was = now.held.get(bdf);
                    let kept = was.is_none_or(|was| was == holding);
                    prop_assert!(kept, "{event:?} moved {bdf} from {was:?}");
                    let fresh = was.is_none() && now.doubtful.contains(&Strand::Group(holding.group));
                    prop_assert!(!fresh, "{event:?} gave {bdf}, which is in doubt");
                }
                now = then;
            }
        }

        #[test]
        fn what_came_back_can_be_given_to_anybody(first in 0..6u8, guest in 0..3usize) {
            let wanted = [function(first)];
            let held = Holdings::default().give("a", &wanted).unwrap();
            prop_assert_eq!(held.give("b", &wanted).is_err(), true);
            prop_assert_eq!(held.give("a", &wanted).is_err(), true, "twice is a mistake");
            let free = held.take_back(&[wanted[0].0]);
            prop_assert!(free.give(GUESTS[guest], &wanted).is_ok());
            prop_assert_eq!(held.end("a"), Holdings::default());
        }
    }
}
