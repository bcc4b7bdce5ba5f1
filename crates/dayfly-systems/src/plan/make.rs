//! From a wish to a plan: through the limits of the system, then to its steps.

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::{Change, Job, Plan, Request};
use crate::remark::Remark;
use crate::services;
use crate::{Refusal, Reserved, Reserving, Severity, Slot, System};

pub(crate) fn plan(system: &'static System, request: &Request<'_>) -> Result<Plan, Refusal> {
    let mut remarks = Vec::new();
    let changes = match request.range {
        Some(range) => changes(system, request, range, &mut remarks)?,
        None if request.reserve.is_none() && request.unreserve.is_none() => {
            return Err(Refusal::new(
                "there is nothing to plan",
                "name a range, such as 49152-65535, or ports to reserve or unreserve",
            ));
        }
        None => Vec::new(),
    };
    if let Some(ports) = request.reserve {
        reservable(system, ports)?;
    }
    if let Some(ports) = request.unreserve {
        remarks.extend(unreservable(system, request, ports)?);
    }
    if request.reserve.or(request.unreserve).is_some() {
        remarks.extend(system.one_list_for_all(request.protocols));
    }
    let job = Job {
        system,
        changes,
        reserve: request.reserve,
        unreserve: request.unreserve,
        protocols: request.protocols,
        when: request.when,
        current: request.current,
    };
    // Nothing is left to do where a constant is already what is wanted.
    let lists = job.reserve.is_some() || job.unreserve.is_some();
    let constant = !lists && job.changes.iter().all(|change| !change.slot.writable);
    let steps = if constant { Vec::new() } else { system.rules.steps(&job)? };
    if !constant {
        remarks.extend(system.rules.advice(&job));
    }
    if let Some(range) = job.changes.first().map(|change| change.to)
        && !constant
    {
        remarks.extend(services::inside(range, system.reserving.setting().is_some()));
    }
    remarks.sort_by_key(|remark| remark.severity == Severity::Advice);
    remarks.dedup();
    let alternatives = if constant { Vec::new() } else { system.rules.alternatives(&job) };
    Ok(Plan {
        system: system.name,
        title: system.title,
        script: system.script,
        privilege: system.privilege,
        changes: job.changes,
        reserve: request.reserve.cloned().map(Box::new),
        unreserve: request.unreserve.cloned().map(Box::new),
        remarks,
        steps,
        alternatives,
    })
}

/// The ranges that change, each through the limits of its system.
fn changes(
    system: &'static System,
    request: &Request<'_>,
    range: PortRange,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<Change>, Refusal> {
    let slots = chosen(system, request)?;
    if slots.iter().all(|slot| !slot.writable) {
        return constants(system, slots, range, remarks);
    }
    if range.low().number() == 0 {
        return Err(Refusal::new(
            format!("port 0 cannot be in the range {range}: it asks the system to choose one"),
            format!("begin at 1024 or above: {}", PortRange::DYNAMIC),
        ));
    }
    let mut changes = Vec::new();
    for slot in slots.into_iter().filter(|slot| slot.writable) {
        let mut to = range;
        for remark in system.rules.limits(slot, range, request.current) {
            match remark.severity {
                Severity::Refused | Severity::Breaks => {
                    return Err(Refusal::new(remark.text, system.instead));
                }
                Severity::Clamped { to: clamped } => to = clamped,
                Severity::Advice | Severity::Warning => {}
            }
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
        if let Some(shared) = shared(system, slot, request.protocols)
            && !remarks.contains(&shared)
        {
            remarks.push(shared);
        }
        let from = request.current.and_then(|now| now.found(slot)).and_then(|found| found.ends());
        changes.push(Change { slot, from, to });
    }
    Ok(changes)
}

/// A warning when a range changes for protocols that were not named as well.
fn shared(system: &System, slot: &Slot, named: &[Protocol]) -> Option<Remark> {
    let others: Vec<_> = slot
        .protocols
        .iter()
        .filter(|protocol| !named.contains(protocol))
        .map(|protocol| protocol.name())
        .collect();
    if named.is_empty() || others.is_empty() {
        return None;
    }
    Some(Remark::warning(format!(
        "{} has one range for {}: it changes for {} as well.",
        system.title,
        slot.scope(),
        others.join(" and ")
    )))
}

/// The slots that a request is about.
fn chosen(system: &'static System, request: &Request<'_>) -> Result<Vec<&'static Slot>, Refusal> {
    let of_class: Vec<&'static Slot> =
        system.slots.iter().filter(|slot| slot.class == request.class).collect();
    if of_class.is_empty() {
        let mut classes: Vec<_> = system.slots.iter().map(|slot| slot.class.name()).collect();
        classes.dedup();
        return Err(Refusal::new(
            format!("{} has no {} class of ports", system.title, request.class),
            format!("it has {}", classes.join(", ")),
        ));
    }
    let wanted = |slot: &&'static Slot| {
        if request.protocols.is_empty() {
            !slot.on_request
        } else {
            slot.protocols.iter().any(|protocol| request.protocols.contains(protocol))
        }
    };
    if let Some(missing) = request
        .protocols
        .iter()
        .find(|protocol| !of_class.iter().any(|slot| slot.protocols.contains(protocol)))
    {
        return Err(Refusal::new(
            format!("{} has no setting for the ports of {missing}", system.title),
            "leave this protocol out",
        ));
    }
    Ok(of_class.into_iter().filter(wanted).collect())
}

/// A range that cannot be changed is fine if it is already the wanted one.
fn constants(
    system: &'static System,
    slots: Vec<&'static Slot>,
    range: PortRange,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<Change>, Refusal> {
    let ends = |range: PortRange| (range.low().number(), range.high().number());
    if let Some(other) = slots.iter().map(|slot| slot.default_range()).find(|&own| own != range) {
        return Err(Refusal::new(
            format!(
                "{} cannot change its range: {other} is a constant of the kernel",
                system.title
            ),
            system.instead,
        ));
    }
    remarks.push(Remark::advice(format!(
        "{range} is what the kernel of {} is built with: there is nothing to do.",
        system.title
    )));
    Ok(slots.into_iter().map(|slot| Change { slot, from: Some(ends(range)), to: range }).collect())
}

fn reservable(system: &'static System, ports: &PortSet) -> Result<(), Refusal> {
    if let Reserving::Not { instead } = system.reserving {
        return Err(Refusal::new(
            format!("{} cannot keep single ports from being handed out", system.title),
            instead,
        ));
    }
    named(ports, "reserve")
}

/// Whether ports can be handed out again, and a word on those that are anyway.
fn unreservable(
    system: &'static System,
    request: &Request<'_>,
    ports: &PortSet,
) -> Result<Option<Remark>, Refusal> {
    if system.reserving.setting().is_none() {
        return Err(Refusal::new(
            format!("{} keeps no single ports from being handed out", system.title),
            "choose a range that holds them",
        ));
    }
    named(ports, "unreserve")?;
    if request.reserve.is_some() {
        return Err(Refusal::new(
            "ports are to be reserved and others unreserved at once",
            "make two plans of it, and carry out one after the other",
        ));
    }
    let is_meant = |reserved: &&Reserved| {
        let mut of = reserved.protocols.iter();
        request.protocols.is_empty() || of.any(|protocol| request.protocols.contains(protocol))
    };
    let known = request.current.map(|now| now.reserved.iter().filter(is_meant));
    let known: Vec<&Reserved> = known.into_iter().flatten().collect();
    if known.is_empty() {
        return Err(Refusal::new(
            "what is reserved is not known, and nothing else is to be taken out of it",
            format!(
                "give it: the output of `{}` with --current",
                system.read_command().replace('\n', "; ")
            ),
        ));
    }
    let mut never = ports.clone();
    for reserved in known {
        never -= &*reserved.ports;
    }
    Ok((!never.is_empty()).then(|| Remark::advice(format!("Not reserved anyway: {never}."))))
}

/// Whether a list of ports is one, to `what` it is said of.
fn named(ports: &PortSet, what: &str) -> Result<(), Refusal> {
    if ports.is_empty() {
        return Err(Refusal::new(
            format!("the list of ports to {what} is empty"),
            "name ports and ranges, such as 8080,9000-9010",
        ));
    }
    if ports.contains(dayfly_ports::Port::MIN) {
        return Err(Refusal::new(
            format!("there is no port 0 to {what}: it asks the system to choose one"),
            "leave 0 out of the list",
        ));
    }
    Ok(())
}
