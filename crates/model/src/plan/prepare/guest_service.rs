//! Services that run guests with devices without being root.
//!
//! In: their units. Out: for each a drop-in file of ours that lets it lock a
//! guest's memory: limits of those who log in ([`super::access`]) do not count
//! for what systemd starts (systemd.exec(5), `LimitMEMLOCK=`).

use thiserror::Error;

use super::Preparation;
use crate::fact::{Fact, Why};
use crate::ours::{PREPARED, limit};
use crate::plan::write;
use crate::setup::boot::Boot;
use crate::setup::services::ServiceName;

/// A service, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestService {
    pub name: ServiceName,
    /// The host has such a unit.
    pub there: Fact<bool>,
}

/// Why a service cannot be given a limit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoService {
    #[error("the services of this host are not known: {0}")]
    Unknown(Why),
    #[error("this host has no service `{0}`")]
    Missing(ServiceName),
}

pub(super) fn plan(
    service: &GuestService,
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), NoService> {
    let name = &service.name;
    match &service.there {
        Fact::Unknown(why) => return Err(NoService::Unknown(why.clone())),
        Fact::Known(false) => return Err(NoService::Missing(name.clone())),
        Fact::Known(true) => {}
    }
    let text = format!("{PREPARED}[Service]\nLimitMEMLOCK=infinity\n");
    let Some(step) = write(boot, &boot.path(&limit(name.as_str())), Some(&text)) else {
        return Ok(());
    };
    preparation.steps.push(step);
    let (which, whose) = match name.is_template() {
        true => ("the instances of ", "theirs"),
        false => ("", "its own"),
    };
    preparation.by_hand.push(format!(
        "`systemctl daemon-reload`, then restart {which}{name} when no guest of {whose} runs (or reboot): the limit counts from the next start"
    ));
    Ok(())
}
