//! What `systemctl show` says of units: `Key=value` lines, an empty line
//! between two units (systemctl(1)).

/// A unit, which ones systemd stops together with it, and which start it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    pub id: String,
    /// All its names: `display-manager.service` is another one's, too.
    pub names: Vec<String>,
    pub active: bool,
    /// The other ends of `Requires=`, `Requisite=`, `BindsTo=` and `PartOf=`
    /// (systemd.unit(5)).
    pub dependents: Vec<String>,
    /// Units that start it when something happens (`TriggeredBy=`): its
    /// socket when somebody connects, a path, a timer.
    pub triggers: Vec<String>,
}

/// The properties that [`units`] reads.
pub const PROPERTIES: &str =
    "Id,Names,ActiveState,RequiredBy,RequisiteOf,BoundBy,ConsistsOf,TriggeredBy";

/// Every unit that has a name; what is not understood is left out.
pub fn units(text: &str) -> Vec<Unit> {
    let mut units = vec![Unit::default()];
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else {
            units.push(Unit::default());
            continue;
        };
        let Some(unit) = units.last_mut() else { continue };
        match key {
            "Id" => value.clone_into(&mut unit.id),
            "Names" => unit.names = value.split_whitespace().map(str::to_owned).collect(),
            "ActiveState" => unit.active = ["active", "reloading", "refreshing"].contains(&value),
            "RequiredBy" | "RequisiteOf" | "BoundBy" | "ConsistsOf" => {
                unit.dependents.extend(value.split_whitespace().map(str::to_owned));
            }
            "TriggeredBy" => {
                unit.triggers.extend(value.split_whitespace().map(str::to_owned));
            }
            _ => {}
        }
    }
    units.retain(|unit| !unit.id.is_empty());
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_who_goes_down_with_them() {
        let text = "Id=dcgm.service\nNames=dcgm.service nvidia-dcgm.service\nRequiredBy=a.service b.service\nBoundBy=\n\
                    ConsistsOf=c.service\nTriggeredBy=dcgm.socket\nActiveState=active\n\nId=a.service\nActiveState=failed\n";
        let dependents = ["a.service", "b.service", "c.service"].map(str::to_owned).into();
        let triggers = vec!["dcgm.socket".to_owned()];
        let names = ["dcgm.service", "nvidia-dcgm.service"].map(str::to_owned).into();
        let id = "dcgm.service".to_owned();
        let dcgm = Unit { id, names, active: true, dependents, triggers };
        let a = Unit { id: "a.service".to_owned(), ..Unit::default() };
        assert_eq!(units(text), [dcgm, a]);
    }
}
