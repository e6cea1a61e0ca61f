//! `passthru __writer`: the child in which writes to the kernel happen.
//!
//! In: requests on standard input. Out: replies. See [`host::write`].

use std::io;

use clap::Args;

use crate::error::Error;

/// Write attributes of the kernel for another process
#[derive(Debug, Args)]
pub struct Writer {}

impl Writer {
    pub fn exec(&self) -> Result<(), Error> {
        host::write::serve(io::stdin().lock(), io::stdout().lock())
            .map_err(|source| Error::Io { doing: "serve writes".to_owned(), source })
    }
}
