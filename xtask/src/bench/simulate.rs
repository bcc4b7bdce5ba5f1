//! `bench simulate`: events a second of dayfly's simulator and of a plain SimPy model of the same
//! scenario, in turns; and what the long runs take.

use std::num::NonZeroUsize;
use std::process::Command;
use std::thread;

use dayfly_lab::scenario::{SECOND, SHIPPED, Scenario};
use dayfly_lab::simulate::Simulation;

use super::{median, process};
use crate::shell::{self, Done};

/// Each contender's turns.
const ROUNDS: usize = 3;

/// What both are told, for how many simulated seconds each, and what is aimed at.
struct Case {
    name: &'static str,
    scenario: &'static str,
    seconds: u64,
    simpy_seconds: f64,
    /// Million events a second.
    goal: f64,
}

const CASES: [Case; 2] = [
    Case {
        name: "one destination",
        scenario: "[[host]]\nsystem = \"uniform\"\n[[destination]]\n[[workload]]\nrate = 10000\n\
                   arrivals = \"constant\"\nduration = \"1 s\"\ncloses = \"reset\"\n",
        seconds: 1000,
        simpy_seconds: 12.0,
        goal: 10.0,
    },
    Case {
        name: "TIME_WAIT, 10,000 destinations",
        scenario: "[[host]]\nsystem = \"linux\"\n[[destination]]\ncount = 10000\n[[workload]]\n\
                   rate = 100000\nduration = { exponential = \"100 ms\" }\n",
        seconds: 90,
        simpy_seconds: 1.5,
        goal: 3.0,
    },
];

/// Shipped scenarios that people wait for; `--long` runs them whole.
const LONG: [&str; 2] = ["busy-day", "fleet-behind-cgn"];

/// The name of the part that runs one long scenario for a share of its time, to see its memory.
pub(crate) const PART: &str = "simulate-part";

pub(crate) fn run(words: &[&str]) -> Done {
    let long = match words {
        [] => false,
        ["--long"] => true,
        _ => return Err("`bench simulate` takes --long or nothing".to_owned()),
    };
    if cfg!(debug_assertions) {
        let again =
            ["run", "--quiet", "--release", "--package", "xtask", "--", "bench", "simulate"];
        return shell::run(&shell::cargo(), &[&again, words].concat());
    }
    let python = python()?;
    let script = shell::root().join("xtask/src/bench/simulate.py");
    let script = script.to_str().ok_or("the path of the workspace is no text")?;
    println!("| million events a second | dayfly | SimPy | ratio |\n|---|---|---|---|");
    let mut missed = Vec::new();
    for case in &CASES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(dayfly(case.scenario, case.seconds)?);
            let words = [script, case.name, &case.simpy_seconds.to_string()];
            theirs.push(simpy(&shell::output(&python, &words)?)?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!("| {} | {ours:.1} | {theirs:.4} | {:.0} |", case.name, ours / theirs);
        if ours < case.goal {
            missed.push(format!("{}: {ours:.1} of {} million", case.name, case.goal));
        }
    }
    println!(
        "\n| long run | simulated | threads | s | processor, s | million events a second | peak, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let all = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for name in LONG {
        let whole = shipped(name)?.duration / SECOND;
        // Memory must not follow the simulated time: two lengths, the second three times the first.
        let runs =
            if long { vec![(whole, all)] } else { vec![(100, NonZeroUsize::MIN), (300, all)] };
        for (seconds, threads) in runs {
            let this = std::env::current_exe().map_err(|error| error.to_string())?;
            let words = ["bench", PART, name, &seconds.to_string(), &threads.to_string()];
            let took = process::measure(Command::new(this).args(words))?;
            let (clock, used) = (took.elapsed.as_secs_f64(), took.processor.as_secs_f64());
            println!(
                "| {name} | {seconds} s | {threads} | {clock:.1} | {used:.1} | {:.1} | {} |",
                events(name, seconds) / used / 1e6,
                took.peak_kib / 1024
            );
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {}", missed.join("; "))) }
}

/// What such a run has to do, roughly: three events for each connection, four with a NAT.
fn events(name: &str, seconds: u64) -> f64 {
    seconds as f64 * if name == LONG[0] { 3.0 * 100_000.0 } else { 4.0 * 10_000.0 }
}

/// Runs one long scenario for so many simulated seconds, on so many threads.
pub(crate) fn part(words: &[&str]) -> Done {
    let [name, seconds, threads] = words else {
        return Err(format!("{PART} takes a name and two numbers"));
    };
    let threads: NonZeroUsize = threads.parse().map_err(|_| "no number".to_owned())?;
    let seconds: u64 = seconds.parse().map_err(|_| "no number".to_owned())?;
    let mut scenario = shipped(name)?;
    scenario.duration = seconds * SECOND;
    let _ = Simulation::new(&scenario).run_on(threads, &mut |_| {});
    Ok(())
}

fn shipped(name: &str) -> Result<Scenario, String> {
    let shipped = SHIPPED.iter().find(|shipped| shipped.name == name);
    let shipped = shipped.ok_or_else(|| format!("no scenario {name} is shipped"))?;
    Scenario::parse(shipped.text).map_err(|error| error.to_string())
}

/// Million events a second, on one core.
fn dayfly(text: &str, seconds: u64) -> Result<f64, String> {
    let mut scenario = Scenario::parse(text).map_err(|error| error.to_string())?;
    scenario.duration = seconds * SECOND;
    // The processor's time, not the clock's: the figures are for one core, however busy it is.
    let begun = processor_seconds();
    let outcome = Simulation::new(&scenario).run();
    Ok(outcome.events as f64 / (processor_seconds() - begun) / 1e6)
}

/// What this thread has used.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn simpy(line: &str) -> Result<f64, String> {
    let mut numbers = line.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(events)), Some(Ok(seconds))) => Ok(events / seconds / 1e6),
        _ => Err(format!("the SimPy model printed {line:?}")),
    }
}

/// A Python with SimPy, in an environment of its own under `target`.
fn python() -> Result<String, String> {
    let folder = shell::root().join("target/simpy");
    let python = folder.join("bin/python").to_string_lossy().into_owned();
    if !shell::answers(&python, &["-c", "import simpy"]) {
        shell::run("python3", &["-m", "venv", &folder.to_string_lossy()])?;
        shell::run(&python, &["-m", "pip", "install", "--quiet", "simpy"])?;
    }
    Ok(python)
}
