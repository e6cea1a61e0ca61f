//! Telling somebody each step just before it is applied.
//!
//! In: a function, or none. Never: a say in what happens.

use std::fmt;

use model::Step;

/// What is called with each step.
type Teller = Box<dyn FnMut(&Step)>;

/// Who is told.
#[derive(Default)]
pub(crate) struct Tell(Option<Teller>);

impl Tell {
    pub fn new(tell: impl FnMut(&Step) + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    pub fn step(&mut self, step: &Step) {
        if let Some(tell) = &mut self.0 {
            tell(step);
        }
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Tell(somebody)" } else { "Tell(nobody)" })
    }
}
