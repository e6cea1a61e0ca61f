//! What is told of errors that no pretended machine of the program's can make.

use std::time::Duration;

use engine::error::{Failure, StepDoubt, StepError};
use host::apply::{ApplyError, Doubt};
use model::port::Stuck;
use model::usage::Holder;
use model::{Bdf, Fact, Step};

use super::*;

fn step() -> Step {
    let bdf: Bdf = "0000:01:00.0".parse().unwrap();
    Step::Unbind { bdf, driver: "nvidia".to_owned() }
}

fn told(failure: Failure) -> String {
    let error = Error::Engine(engine::Error::Failed(Box::new(failure)));
    let (mut text, mut object) = (Vec::new(), Vec::new());
    human(&error, &mut anstream::StripStream::new(&mut text)).unwrap();
    json::write(&error, &mut object).unwrap();
    let (text, object) = (String::from_utf8(text).unwrap(), String::from_utf8(object).unwrap());
    format!("exit {}\n{text}{object}", exit_code(&error))
}

fn refused_by_the_kernel() -> StepError {
    let path = "/sys/bus/pci/drivers/nvidia/unbind".into();
    let value = "0000:01:00.0".to_owned();
    let text = "device or resource busy".to_owned();
    StepError { step: step(), error: ApplyError::Write { path, value, errno: 16, text } }
}

#[test]
fn a_step_that_failed() {
    let errors = vec![refused_by_the_kernel()];
    insta::assert_snapshot!(told(Failure { errors, ..Failure::default() }));
}

#[test]
fn a_way_back_that_failed() {
    let errors = vec![refused_by_the_kernel()];
    let undo_errors = vec![refused_by_the_kernel()];
    insta::assert_snapshot!(told(Failure { errors, undo_errors, ..Failure::default() }));
}

#[test]
fn an_interrupted_verb() {
    insta::assert_snapshot!(told(Failure { interrupted: true, ..Failure::default() }));
}

#[test]
fn a_write_in_doubt() {
    let stuck = Stuck {
        pid: 4711,
        start_time: 1,
        wait_channel: Some("nvidia_close".to_owned()),
        waited: Duration::from_secs(30),
    };
    let path = "/sys/bus/pci/drivers/nvidia/unbind".into();
    let holder = Holder {
        login: None,
        desktop: false,
        pid: 815,
        start_time: 2,
        program: "python3".to_owned(),
        node: "/dev/nvidia0".to_owned(),
        unit: None,
    };
    let holders = Fact::Known(vec![holder]);
    let doubt = Doubt { path, value: "0000:01:00.0".to_owned(), stuck, holders };
    let doubts = vec![StepDoubt { step: step(), doubt }];
    insta::assert_snapshot!(told(Failure { doubts, ..Failure::default() }));
}

#[test]
fn a_cause_is_told_once() {
    let source = io::Error::other("the reason");
    let error = Error::Io { doing: "do it".to_owned(), source };
    assert_eq!(Told::of(&error).line, "cannot do it: the reason");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let gone = |kind| exit_code(&Error::Output(io::ErrorKind::into(kind)));
    assert_eq!(gone(io::ErrorKind::BrokenPipe), 0);
    assert_eq!(gone(io::ErrorKind::StorageFull), 1);
}
