//! The sections about the host: its driver, its uses, who holds the device.

use model::{Fact, Why};

use super::{Subject, option};
use crate::output::page::Page;

impl Subject<'_> {
    pub(super) fn driver(&self, page: &mut Page) {
        let function = self.function;
        page.section("driver");
        page.line("driver", option(&function.driver, "none"));
        page.line("override", option(&function.driver_override, "none"));
    }

    pub(super) fn uses(&self, page: &mut Page) {
        let function = self.function;
        page.section("used by the host");
        if function.boot_vga == Some(true) {
            page.line("screen", "the firmware's first VGA device");
        }
        match (function.uses.is_empty(), function.unseen.is_empty()) {
            (true, true) => page.line("uses", "none found"),
            (true, false) => {}
            (false, _) => page.lines("uses", &function.uses),
        }
        for unseen in &function.unseen {
            page.line("uses", format!("unknown: {unseen}"));
        }
        self.master(page);
        match &function.holders {
            Fact::Known(holders) if holders.is_empty() => page.line("held by", "no process"),
            Fact::Known(holders) => {
                page.lines("held by", holders.iter().map(|holder| function.told(holder)));
            }
            Fact::Unknown(why) => page.line("held by", format!("unknown ({why})")),
        }
    }

    /// Who may draw on a graphics card's screens.
    fn master(&self, page: &mut Page) {
        let is_display = self.function.class.known().is_some_and(|class| class.is_display());
        match &self.function.drm_masters {
            Fact::Known(masters) if masters.is_empty() && !is_display => {}
            Fact::Known(masters) if masters.is_empty() => page.line("DRM master", "none"),
            Fact::Known(masters) => page.lines("DRM master", masters),
            Fact::Unknown(Why::NotObserved) => {}
            Fact::Unknown(why) => page.line("DRM master", format!("unknown ({why})")),
        }
    }
}
