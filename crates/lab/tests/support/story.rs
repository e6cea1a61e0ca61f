//! What a page of the guide tells, done for real: what is typed and printed is compared with the page.

use std::time::Duration;

use lab::{Output, guide};

use super::Host;

/// A story on one lab host, at one prompt of the page.
pub struct Story<'h> {
    host: &'h Host,
    prompt: &'static str,
    transcript: String,
}

impl<'h> Story<'h> {
    pub fn new(host: &'h Host, prompt: &'static str) -> Self {
        Self { host, prompt, transcript: String::new() }
    }

    /// Types a command, which may end however it does.
    #[track_caller]
    pub fn typed(&mut self, command: &str) -> Output {
        let start = std::time::Instant::now();
        let output = self.host.run_within(command, b"", Duration::from_secs(400));
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        println!("    {command}: {:.1} s", start.elapsed().as_secs_f64());
        let Output { stdout, stderr, .. } = &output;
        self.transcript += &format!("{} {command}\n{stdout}{stderr}", self.prompt);
        output
    }

    /// Types a command that must succeed.
    #[track_caller]
    pub fn done(&mut self, command: &str) -> String {
        let output = self.typed(command);
        assert!(output.success(), "{command}: {output:?}");
        output.stdout
    }

    /// The page says nothing else.
    #[track_caller]
    pub fn compare(self, page: &'static str) {
        if let Err(error) = guide::check(page, self.prompt, &self.transcript) {
            panic!("{error}\n\nwhat was seen:\n{}", self.transcript);
        }
    }
}
