//! The sections about the host: its driver, its uses, who holds the device.

use model::Fact;

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
        match function.uses.is_empty() {
            true => page.line("uses", "none found"),
            false => page.lines("uses", &function.uses),
        }
        match &function.holders {
            Fact::Known(holders) if holders.is_empty() => page.line("held by", "no process"),
            Fact::Known(holders) => page.lines("held by", holders),
            Fact::Unknown(why) => page.line("held by", format!("unknown ({why})")),
        }
    }
}
