//! From a draft to a change, with everything that may stand in between.

use std::io::{IsTerminal, Write, stderr, stdin};

use super::args::{ChangeArgs, ConsentArgs};
use super::clock;
use super::deed::{Before, Deed, Sight};
use super::draft::{Draft, Wish};
use super::engine::{self, Stopped};
use super::guardian;
use super::journal::{Begun, Event, Journal, Record, Rest, State, Step, Way};
use super::scene::{Place, Scene};
use super::store::{self, Lock, Store};
use crate::args::OutputArgs;
use crate::error::Failure;
use crate::host::Address;
use crate::privilege::{at, with_sudo};
use crate::render;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// Nothing was to be done.
    DryRun,
    /// Nobody said yes.
    Declined,
    /// It stands against something.
    Refused,
    /// It is done.
    Applied,
    /// It is done until this second since 1970, unless it is kept.
    Waiting { until: u64, guardian: String },
    /// It is taken back.
    Undone,
}

impl Outcome {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Outcome::Unchanged => "unchanged",
            Outcome::DryRun => "dry_run",
            Outcome::Declined => "declined",
            Outcome::Refused => "refused",
            Outcome::Applied => "applied",
            Outcome::Waiting { .. } => "waiting",
            Outcome::Undone => "undone",
        }
    }
}

/// A change and what became of it.
pub(crate) struct Performed {
    /// What was asked for.
    pub(crate) title: String,
    pub(crate) place: Place,
    pub(crate) draft: Draft,
    /// Its number; none if nothing was done.
    pub(crate) id: Option<u32>,
    pub(crate) outcome: Outcome,
}

/// What may happen without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    DryRun,
    Ask,
    Go,
}

/// Where nobody can be asked, and nobody has said yes beforehand, nothing is done.
pub(super) fn mode(consent: ConsentArgs, output: OutputArgs) -> Mode {
    if consent.dry_run {
        Mode::DryRun
    } else if consent.yes {
        Mode::Go
    } else if !output.json && stdin().is_terminal() && stderr().is_terminal() {
        Mode::Ask
    } else {
        Mode::DryRun
    }
}

/// Shows the draft and, if it may, does it.
pub(super) fn perform(
    scene: &Scene,
    wish: &Wish,
    draft: Draft,
    args: &ChangeArgs,
) -> Result<(), Failure> {
    let mut performed = Performed {
        title: wish.title(),
        place: scene.place(),
        draft,
        id: None,
        outcome: Outcome::Unchanged,
    };
    let output = args.output;
    show(&performed, output)?;
    if performed.draft.steps.is_empty() {
        return tell(&performed, output);
    }
    if !performed.draft.hazards.is_empty() && !args.force {
        performed.outcome = Outcome::Refused;
        tell(&performed, output)?;
        return Err(refused(&performed.draft));
    }
    let mode = mode(args.consent, output);
    if mode == Mode::DryRun {
        performed.outcome = Outcome::DryRun;
        return tell(&performed, output);
    }
    may_change(scene)?;
    let question = match args.wait {
        None => "Do it?".to_owned(),
        Some(time) => format!("Do it for {} s?", time.as_secs()),
    };
    if mode == Mode::Ask && !asked(&question)? {
        performed.outcome = Outcome::Declined;
        return tell(&performed, output);
    }
    let store = Store::new(args.state.folder.as_deref())?;
    let lock = store.lock()?;
    settle_others(&store, scene, &performed.place, &lock)?;
    unchanged_meanwhile(scene, &performed.draft.steps)?;
    let begun = Begun {
        journal: Begun::VERSION,
        id: store.next_id(&lock)?,
        at: clock::now(),
        title: performed.title.clone(),
        user: store::user(),
        place: performed.place.clone(),
        for_seconds: args.wait.map(|time| time.as_secs()),
        steps: performed.draft.steps.clone(),
    };
    performed.id = Some(begun.id);
    let mut journal = store.create(begun, &lock)?;
    performed.outcome = carry_out(&store, scene, &mut journal, args)?;
    drop(lock);
    tell(&performed, output)
}

fn carry_out(
    store: &Store,
    scene: &Scene,
    journal: &mut Journal,
    args: &ChangeArgs,
) -> Result<Outcome, Failure> {
    let Some(time) = args.wait else {
        engine::apply(scene, journal, Rest::Applied)
            .map_err(|stopped| failed(scene, journal, &stopped))?;
        return Ok(Outcome::Applied);
    };
    let until = clock::now() + time.as_secs();
    let started = guardian::start(store, scene, &journal.record, time.as_secs());
    let guardian = match started {
        Ok(guardian) => guardian,
        Err(failure) => {
            engine::settle(journal, Rest::Undone)
                .map_err(|stopped| failed(scene, journal, &stopped))?;
            return Err(failure);
        }
    };
    engine::note(journal, Event::Guarded { by: guardian.clone() })
        .and_then(|()| engine::apply(scene, journal, Rest::Waiting { until }))
        .map_err(|stopped| failed(scene, journal, &stopped))?;
    guardian::begin(&*scene.host, &guardian)?;
    Ok(Outcome::Waiting { until, guardian })
}

/// Only root, on this host; another host says itself what it does not permit.
pub(super) fn may_change(scene: &Scene) -> Result<(), Failure> {
    let is_local = scene.namespace.is_some() || scene.gone;
    if !is_local || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new("only root may change it, and nothing was changed").hint(with_sudo()))
}

/// A question on the terminal. Everything but yes is no.
pub(super) fn asked(question: &str) -> Result<bool, Failure> {
    let mut screen = stderr().lock();
    write!(screen, "{question} [y/N] ")?;
    screen.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Nothing of the same place may be under way: a change that was interrupted is brought to rest if
/// the host is in its old or in its new state, else it has to be undone first.
pub(super) fn settle_others(
    store: &Store,
    scene: &Scene,
    place: &Place,
    lock: &Lock,
) -> Result<(), Failure> {
    for record in store.records()? {
        if !same(&record.begun.place, place) {
            continue;
        }
        if let Some(rest) = settled(scene, &record)? {
            for (step, found) in record.begun.steps.iter().enumerate() {
                if record.cut(step).is_some()
                    && let Deed::File { path, .. } = &found.deed
                {
                    scene.host.tidy(path)?;
                }
            }
            let mut journal = store.open(record.begun.id, lock)?;
            engine::settle(&mut journal, rest)
                .map_err(|stopped| failed(scene, &journal, &stopped))?;
            render::change::aside(&format!(
                "change {} ({}) was interrupted; the host is in its {} state",
                record.begun.id,
                record.begun.title,
                if rest == Rest::Undone { "old" } else { "new" }
            ));
            continue;
        }
        let id = record.begun.id;
        match record.state() {
            State::Rests(Rest::Applied | Rest::Undone) => {}
            State::Rests(Rest::Waiting { until }) => {
                return Err(Failure::new(format_args!(
                    "change {id} ({}) waits to be kept, until {}",
                    record.begun.title,
                    clock::written(until)
                ))
                .hint(format!("`dayfly keep {id}` or `dayfly undo {id}` first")));
            }
            State::Interrupted { .. } => {
                let said = interruption(scene, &record);
                return Err(Failure::new(said)
                    .hint(format!("`dayfly undo {id}` returns to what was there before")));
            }
        }
    }
    Ok(())
}

/// Where a change that is not at rest has come to rest by itself: everything it began is as it was
/// before, or everything it is made of is done.
pub(super) fn settled(scene: &Scene, record: &Record) -> Result<Option<Rest>, Failure> {
    let is_over = match record.state() {
        State::Rests(Rest::Applied | Rest::Undone) => return Ok(None),
        State::Rests(Rest::Waiting { until }) => until < clock::now(),
        State::Interrupted { .. } => true,
    };
    if !is_over {
        return Ok(None);
    }
    let review = engine::review(scene, record)?;
    let all = |wanted: &Sight| review.iter().all(|(_, sight)| sight == wanted);
    if all(&Sight::Old) {
        return Ok(Some(Rest::Undone));
    }
    let complete = (0..record.begun.steps.len()).all(|step| record.touched(step));
    let interrupted = matches!(record.state(), State::Interrupted { .. });
    Ok((interrupted && complete && all(&Sight::New) && record.begun.for_seconds.is_none())
        .then_some(Rest::Applied))
}

/// The same host, and the same namespace of it.
pub(super) fn same(one: &Place, other: &Place) -> bool {
    let id = |place: &Place| {
        place.namespace.as_ref().map(|found| if found.is_host { 0 } else { found.id })
    };
    one.host == other.host && id(one) == id(other)
}

/// `change 3 (set 49152-65535) was interrupted at step 2 of 2; step 1 is done, step 2 is not`.
pub(super) fn interruption(scene: &Scene, record: &Record) -> String {
    let State::Interrupted { step, way } = record.state() else {
        return format!("change {} ({}) is at rest", record.begun.id, record.begun.title);
    };
    let of = record.begun.steps.len();
    let way = match way {
        Way::Apply => "",
        Way::Undo => ", while it was taken back",
    };
    format!(
        "change {} ({}) was interrupted at step {} of {of}{way}: {}",
        record.begun.id,
        record.begun.title,
        step + 1,
        states(scene, record)
    )
}

/// Which steps are done and which are not.
pub(super) fn states(scene: &Scene, record: &Record) -> String {
    let review = match engine::review(scene, record) {
        Ok(review) => review,
        Err(error) => return format!("where it stands cannot be seen ({error})"),
    };
    let say = |step: usize, deed: &Deed| {
        let found = review.iter().find(|(at, _)| *at == step).map(|(_, sight)| sight);
        let state = match found {
            None | Some(Sight::Old) => "is not done".to_owned(),
            Some(Sight::New) => "is done".to_owned(),
            Some(Sight::Other(what)) => what.clone(),
        };
        format!("step {} ({}) {state}", step + 1, deed.subject())
    };
    let steps = record.begun.steps.iter().enumerate();
    let said: Vec<_> = steps.map(|(step, found)| say(step, &found.deed)).collect();
    said.join(", ")
}

/// Whoever was asked has thought about what was shown.
fn unchanged_meanwhile(scene: &Scene, steps: &[Step]) -> Result<(), Failure> {
    for step in steps {
        let begins_later =
            matches!(&step.deed, Deed::Command { before: Before::Words(_) | Before::Gone(_), .. });
        if begins_later || !matches!(step.deed.look(scene)?, Sight::Other(_)) {
            continue;
        }
        return Err(Failure::new(format_args!(
            "{} has changed meanwhile; nothing was done",
            step.deed.subject()
        ))
        .hint("look at the difference again"));
    }
    Ok(())
}

fn refused(draft: &Draft) -> Failure {
    let count = draft.hazards.len();
    let what = if count == 1 { "this stands".to_owned() } else { format!("{count} things stand") };
    Failure::new(format_args!("{what} against it, and nothing was changed"))
        .hint("do what the lines above advise, or insist on it: --force")
}

/// What a change that was stopped left behind.
pub(super) fn failed(scene: &Scene, journal: &Journal, stopped: &Stopped) -> Failure {
    let id = journal.record.begun.id;
    match stopped {
        Stopped::Returned { is_permission, .. } => {
            let host = journal.record.begun.place.host.parse::<Address>().ok();
            let as_root = is_permission.then_some(host).flatten().and_then(as_root);
            let history = || format!("`dayfly history` has it as change {id}");
            Failure::new(format_args!("{stopped}. The host is as it was before this command"))
                .hint(as_root.unwrap_or_else(history))
        }
        Stopped::Stuck { .. } | Stopped::Unwritten { .. } => {
            Failure::new(format_args!("{stopped}. Now: {}", states(scene, &journal.record)))
                .hint(format!("`dayfly undo {id}` returns to what was there before"))
        }
    }
}

/// This very command as root of another host; none where it was root who was refused.
fn as_root(host: Address) -> Option<String> {
    let root = Address { user: Some("root".to_owned()), ..host.clone() };
    if root == host { None } else { at(&root.to_string()) }
}

/// What would be done, for people, before anybody is asked.
fn show(performed: &Performed, output: OutputArgs) -> Result<(), Failure> {
    if output.json {
        return Ok(());
    }
    let text = render::change::draft(performed, render::Screen::of_terminal());
    render::print_text(&text, output.color)
}

/// What became of it.
pub(super) fn tell(performed: &Performed, output: OutputArgs) -> Result<(), Failure> {
    if output.json {
        return render::print_json(&render::change_json::Document::new(performed));
    }
    let text = render::change::outcome(performed, render::Screen::of_terminal());
    render::print_text(&text, output.color)
}
