//! What is written down about a change, so that it can be taken back exactly, by whoever comes
//! next, whatever happened in between.
//!
//! One file for each change, one line of JSON for each thing that happens. The first line holds the
//! whole change with everything that was there before, and appears at once or not at all. Then
//! follow an intent before each step and a "done" after it. Each line is on the disk before the
//! next thing happens. A line without its end was being written when the power went: it is no
//! line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::deed::Deed;
use super::scene::Place;

/// The form of the file.
const VERSION: u32 = 1;

/// One thing to do, and when it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) when: When,
    pub(crate) deed: Deed,
}

/// When a step takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    Now,
    Boot,
    Both,
}

impl When {
    /// `now`, `boot` or `both`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            When::Now => "now",
            When::Boot => "boot",
            When::Both => "both",
        }
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) journal: u32,
    pub(crate) id: u32,
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// What was asked for: `set 49152-65535`.
    pub(crate) title: String,
    pub(crate) user: String,
    pub(crate) place: Place,
    /// Seconds after which it is taken back unless it is kept.
    pub(crate) for_seconds: Option<u64>,
    pub(crate) steps: Vec<Step>,
}

/// The other lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A step is about to be done or taken back. `found` is [`Deed::found`].
    Intent { step: usize, way: Way, found: Option<String> },
    /// It is done, and was read back.
    Done { step: usize, way: Way },
    /// It could not be done.
    Failed { step: usize, way: Way, why: String },
    /// Somebody watches over it: `process 71`, a timer of systemd, a folder on another host.
    Guarded { by: String },
    /// Somebody said keep: nobody takes it back by itself from here on.
    Keeping,
    /// It was not taken back when its time was over.
    NotReturned { why: String },
    /// A resting place. Whatever does not end in one was interrupted.
    Rests { state: Rest },
}

/// Which way a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    Apply,
    Undo,
}

/// Where a change comes to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rest {
    /// All of it is done.
    Applied,
    /// All of it that counts now is done, and goes back unless it is kept before this second since
    /// 1970.
    Waiting { until: u64 },
    /// All of it is taken back.
    Undone,
}

/// A change, as far as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) begun: Begun,
    pub(crate) events: Vec<Event>,
}

/// What a record says about its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Rests(Rest),
    /// dayfly was killed, or the host went down, at this step.
    Interrupted {
        step: usize,
        way: Way,
    },
}

/// Something that may be half done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What [`Deed::found`] said before it.
    pub(crate) found: Option<String>,
}

impl Record {
    pub(crate) fn state(&self) -> State {
        let mut state = State::Interrupted { step: 0, way: Way::Apply };
        for event in &self.events {
            state = match *event {
                Event::Intent { step, way, .. }
                | Event::Done { step, way }
                | Event::Failed { step, way, .. } => State::Interrupted { step, way },
                Event::Rests { state } => State::Rests(state),
                // The step of a keep that was cut off before its first.
                Event::Keeping => State::Interrupted { step: self.deferred(), way: Way::Apply },
                Event::NotReturned { .. } | Event::Guarded { .. } => state,
            };
        }
        state
    }

    /// The first step that waits for a keep.
    fn deferred(&self) -> usize {
        self.begun.steps.iter().position(|step| step.when == When::Boot).unwrap_or(0)
    }

    /// Whether somebody said keep since it last came to rest.
    pub(crate) fn is_being_kept(&self) -> bool {
        let resting = |event: &&Event| matches!(event, Event::Rests { .. } | Event::Keeping);
        self.events.iter().rev().find(resting) == Some(&Event::Keeping)
    }

    /// Whether the step was ever begun.
    pub(crate) fn touched(&self, step: usize) -> bool {
        let is_it = |event: &Event| matches!(event, Event::Intent { step: at, .. } if *at == step);
        self.events.iter().any(is_it)
    }

    /// A try of this step that nobody saw the end of.
    pub(crate) fn cut(&self, step: usize) -> Option<Cut> {
        let of_step = self.events.iter().rev().find(|event| match event {
            Event::Intent { step: at, .. } | Event::Done { step: at, .. } => *at == step,
            _ => false,
        });
        match of_step {
            Some(Event::Intent { found, .. }) => Some(Cut { found: found.clone() }),
            _ => None,
        }
    }

    /// Who takes it back if nobody keeps it.
    pub(crate) fn guardian(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Guarded { by } => Some(by.as_str()),
            _ => None,
        })
    }

    /// Why it was not taken back when its time was over.
    pub(crate) fn not_returned(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            Event::NotReturned { why } => Some(why.as_str()),
            _ => None,
        })
    }
}

/// The file of one change, open for the next line.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    pub(crate) record: Record,
}

impl Journal {
    /// Makes the file: on the disk, under its name, when this returns.
    pub(crate) fn create(path: &Path, begun: Begun) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let temporary = folder.join(".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(line(&begun)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()?;
        Ok(Journal { file, record: Record { begun, events: Vec::new() } })
    }

    /// Opens it to go on. Whatever of a last line was left half written goes.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let record = parse(&text).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Journal { file, record })
    }

    /// Writes a line, and returns when it is on the disk.
    pub(crate) fn write(&mut self, event: Event) -> io::Result<()> {
        self.file.write_all(line(&event)?.as_bytes())?;
        self.file.sync_data()?;
        self.record.events.push(event);
        Ok(())
    }
}

impl Begun {
    pub(crate) const VERSION: u32 = VERSION;
}

fn line(of: &impl Serialize) -> io::Result<String> {
    let mut line = serde_json::to_string(of)?;
    line.push('\n');
    Ok(line)
}

/// The lines of a journal. The last is left out if it has no end.
pub(crate) fn parse(text: &str) -> Result<Record, String> {
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    let mut lines = whole.lines().enumerate();
    let (_, first) = lines.next().ok_or("it is empty")?;
    let wrong = |index: usize, error: serde_json::Error| format!("line {}: {error}", index + 1);
    let begun: Begun = serde_json::from_str(first).map_err(|error| wrong(0, error))?;
    if begun.journal != VERSION {
        return Err(format!("it is of version {}, and this dayfly knows {VERSION}", begun.journal));
    }
    let mut events = Vec::new();
    for (index, line) in lines {
        let event = serde_json::from_str(line).map_err(|error| wrong(index, error))?;
        if let Event::Intent { step, .. } | Event::Done { step, .. } | Event::Failed { step, .. } =
            &event
            && *step >= begun.steps.len()
        {
            return Err(format!("line {}: there is no step {step}", index + 1));
        }
        events.push(event);
    }
    Ok(Record { begun, events })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::deed::Content;

    fn begun() -> Begun {
        Begun {
            journal: VERSION,
            id: 7,
            at: 1_700_000_000,
            title: "set 49152-65535".to_owned(),
            user: "root".to_owned(),
            place: Place { host: "this host".to_owned(), namespace: None },
            for_seconds: None,
            steps: vec![
                Step {
                    when: When::Now,
                    deed: Deed::Setting {
                        name: "a.b".to_owned(),
                        before: "1\t2".to_owned(),
                        after: "3 4".to_owned(),
                    },
                },
                Step {
                    when: When::Boot,
                    deed: Deed::File {
                        path: "/etc/x".to_owned(),
                        mode: 0o644,
                        before: Some(Content::new(vec![0xff, b'\n'])),
                        after: None,
                    },
                },
            ],
        }
    }

    fn events() -> Vec<Event> {
        let both =
            |step, way| [Event::Intent { step, way, found: None }, Event::Done { step, way }];
        let mut events = Vec::new();
        events.extend(both(0, Way::Apply));
        events.push(Event::Rests { state: Rest::Waiting { until: 9 } });
        events.push(Event::Keeping);
        events.extend(both(1, Way::Apply));
        events.push(Event::Rests { state: Rest::Applied });
        events.extend(both(1, Way::Undo));
        events.extend(both(0, Way::Undo));
        events.push(Event::Rests { state: Rest::Undone });
        events
    }

    fn text() -> String {
        let mut text = line(&begun()).unwrap();
        for event in events() {
            text += &line(&event).unwrap();
        }
        text
    }

    #[test]
    fn what_is_written_is_read() {
        let record = parse(&text()).unwrap();
        assert_eq!(record, Record { begun: begun(), events: events() });
        assert_eq!(record.state(), State::Rests(Rest::Undone));
    }

    /// Cut anywhere, it is the record of what had been written whole by then.
    #[test]
    fn a_journal_that_was_cut_off_is_read() {
        let text = text();
        let first = text.find('\n').unwrap();
        for length in 0..text.len() {
            match parse(&text[..length]) {
                Err(why) => assert!(length <= first, "{length}: {why}"),
                Ok(record) => {
                    let lines = text[..length].matches('\n').count();
                    assert_eq!(record.events, events()[..lines - 1]);
                }
            }
        }
    }

    #[test]
    fn states_follow_the_lines() {
        let state = |count: usize| {
            let record = Record { begun: begun(), events: events()[..count].to_vec() };
            record.state()
        };
        let cut = |step, way| State::Interrupted { step, way };
        assert_eq!(state(0), cut(0, Way::Apply));
        assert_eq!(state(2), cut(0, Way::Apply));
        assert_eq!(state(3), State::Rests(Rest::Waiting { until: 9 }));
        assert_eq!(state(4), cut(1, Way::Apply));
        assert_eq!(state(7), State::Rests(Rest::Applied));
        assert_eq!(state(8), cut(1, Way::Undo));
    }

    #[test]
    fn a_cut_write_remembers_what_was_found() {
        let mut record = Record { begun: begun(), events: Vec::new() };
        assert_eq!((record.touched(0), record.cut(0)), (false, None));
        let found = Some("8080".to_owned());
        record.events.push(Event::Intent { step: 0, way: Way::Apply, found });
        assert_eq!((record.touched(0), record.cut(1)), (true, None));
        assert_eq!(record.cut(0).unwrap().found.as_deref(), Some("8080"));
        record.events.push(Event::Done { step: 0, way: Way::Apply });
        assert_eq!((record.touched(0), record.cut(0)), (true, None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "\\PC{0,60}|(\\{\"event\":\"(intent|done|rests)\",\"step\":[0-9]{1,3}\\}\n){0,3}",
            rest in ".{0,40}",
        ) {
            let _ = parse(&text);
            let _ = parse(&format!("{}{text}\n{rest}", line(&begun()).unwrap()));
        }
    }
}
