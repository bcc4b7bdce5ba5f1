//! Another range, and the floor that it may not begin below.

use dayfly_insight::doctor::sysctl_files::Assignment;
use dayfly_linux::evidence;
use dayfly_ports::{Port, PortRange, PortSet, Protocol};
use dayfly_systems::{Class, Current, Request, find};

use super::{Look, difference, nothing_left, overridden, place_of};
use crate::change::deed::Deed;
use crate::change::draft::{Draft, Hazard, Note, named};
use crate::change::hazard::exposed;
use crate::change::journal::{Step, When};
use crate::error::Failure;

const RANGE: &str = "net.ipv4.ip_local_port_range";
const FLOOR: &str = "net.ipv4.ip_unprivileged_port_start";
/// The same name as in the plans of the systems' crate.
const RANGE_FILE: &str = "/etc/sysctl.d/90-dayfly-range.conf";
/// What a kernel starts with where no file says anything.
const DEFAULT_FLOOR: u32 = 1024;

impl Look<'_> {
    pub(super) fn range(
        &self,
        draft: &mut Draft,
        range: PortRange,
        floor: Option<u16>,
        protocols: &[Protocol],
        class: Class,
        when: When,
    ) -> Result<(), Failure> {
        let old_floor = self.settings.unprivileged_floor;
        let new_floor = floor.map_or(old_floor, u32::from);
        self.limits(draft, range, new_floor, protocols, class)?;
        let old = self.settings.range(Protocol::Tcp).unwrap_or(PortRange::LINUX_DEFAULT);
        let set_range = self.setting(RANGE, pair(range))?;
        let set_floor = floor.map(|floor| self.setting(FLOOR, floor.to_string())).transpose()?;
        if when != When::Boot {
            draft.differences.push(difference(RANGE, "now", old, range));
            if floor.is_some() {
                draft.differences.push(difference(FLOOR, "now", old_floor, new_floor));
            }
            // The range may never begin below the floor: whichever makes room goes first.
            let mut steps: Vec<Deed> = set_floor.into_iter().chain([set_range]).collect();
            if new_floor > old_floor {
                steps.reverse();
            }
            let changing = steps.into_iter().filter(|deed| !deed.is_idle());
            draft.steps.extend(changing.map(|deed| Step { when: When::Now, deed }));
        }
        if when != When::Now {
            self.range_at_boot(draft, range, floor)?;
        }
        if when == When::Boot || draft.steps.is_empty() {
            return Ok(());
        }
        self.range_hazards(draft, old, range, new_floor)
    }

    /// What the kernel refuses, and what is good to know.
    fn limits(
        &self,
        draft: &mut Draft,
        range: PortRange,
        floor: u32,
        protocols: &[Protocol],
        class: Class,
    ) -> Result<(), Failure> {
        let Some(system) = find("linux") else { return Ok(()) };
        let floor = u16::try_from(floor).unwrap_or(u16::MAX);
        let current = Current {
            floor: Some(floor),
            has_selinux: Some(evidence::selinux_enforced().is_some()),
            ..Current::default()
        };
        let request = Request {
            range: Some(range),
            protocols,
            class,
            // What other files do at boot is known here, and need not be guessed.
            when: dayfly_systems::When::Runtime,
            current: Some(&current),
            ..Request::default()
        };
        let plan = system.plan(&request).map_err(|refusal| {
            let hint = if range.low().number() < floor && range.low() > Port::MIN {
                format!(
                    "to lower that as well, so that every user may bind the ports from {low} on: \
                     --unprivileged-start {low}",
                    low = range.low()
                )
            } else {
                refusal.hint.clone()
            };
            Failure::new(&refusal.message).hint(hint)
        })?;
        draft.remarks.extend(plan.remarks.into_iter().map(Note::from));
        Ok(())
    }

    fn range_at_boot(
        &self,
        draft: &mut Draft,
        range: PortRange,
        floor: Option<u16>,
    ) -> Result<(), Failure> {
        let line = |key: &str, value: &str| format!("{key} = {value}\n");
        let ours = line(RANGE, &pair(range));
        // What an earlier change put there stays.
        let floor = floor
            .map(|floor| floor.to_string())
            .or_else(|| self.boot.within(FLOOR, RANGE_FILE).map(|found| found.value.clone()));
        let floor_line = floor.as_deref().map(|floor| line(FLOOR, floor)).unwrap_or_default();
        // From what the kernel starts with, as above.
        let lines = if u32::from(range.low().number()) < DEFAULT_FLOOR {
            floor_line + &ours
        } else {
            ours + &floor_line
        };
        let text = format!("# Written by dayfly; `dayfly undo` takes it back.\n{lines}");
        let step = self.file(RANGE_FILE, Some(text))?;
        let now = self.boot.last(RANGE);
        let from = now.and_then(|found| found.value.parse().ok());
        draft.differences.push(difference(
            RANGE,
            "at boot",
            from.unwrap_or(PortRange::LINUX_DEFAULT),
            range,
        ));
        draft.steps.extend(step);
        let (_, after) = self.boot.round(RANGE, RANGE_FILE);
        let other = |found: &&&Assignment| found.value.parse() != Ok(range);
        if let Some(found) = after.iter().rfind(other) {
            draft.hazards.push(overridden(found, RANGE, RANGE_FILE, &found.value));
        }
        let (before, after) = self.boot.round(FLOOR, RANGE_FILE);
        let at_that_time = floor.or_else(|| before.map(|found| found.value.clone()));
        let at_that_time =
            at_that_time.and_then(|floor| floor.parse().ok()).unwrap_or(DEFAULT_FLOOR);
        let low = range.low().number();
        if u32::from(low) < at_that_time {
            draft.hazards.push(Hazard {
                text: format!(
                    "at boot the kernel refuses {range}: when {RANGE_FILE} is read, {FLOOR} is \
                     {at_that_time} still"
                ),
                hint: format!(
                    "let the same file lower it: --unprivileged-start {low}; or --runtime"
                ),
            });
        }
        let higher = |found: &&&Assignment| {
            found.value.parse::<u32>().is_ok_and(|floor| floor > u32::from(low))
        };
        if let Some(found) = after.iter().find(higher) {
            draft.remarks.push(Note::warning(format!(
                "{} sets {FLOOR} = {} at boot, which the kernel then refuses: the range begins \
                 below it.",
                place_of(found),
                found.value
            )));
        }
        Ok(())
    }

    fn range_hazards(
        &self,
        draft: &mut Draft,
        old: PortRange,
        range: PortRange,
        new_floor: u32,
    ) -> Result<(), Failure> {
        let mut usable = PortSet::from(range);
        usable -= &self.settings.reserved;
        if usable.is_empty() {
            draft.hazards.push(nothing_left(&format!("every port of {range} is reserved")));
        }
        usable -= &PortSet::from(old);
        let exposed_now = exposed(
            &self.services(&usable)?,
            "that the kernel would hand out from now on",
            |ports| {
                let typed = self.typed(&format!("reserve {ports}"));
                format!("reserve {} first: {typed}", named(ports))
            },
        );
        draft.hazards.extend(exposed_now);
        let old_floor = self.settings.unprivileged_floor;
        if new_floor > old_floor {
            let low = u16::try_from(old_floor).unwrap_or(u16::MAX).max(1);
            let high = u16::try_from(new_floor - 1).unwrap_or(u16::MAX);
            let between = PortRange::new(low, high).map_or(PortSet::EMPTY, PortSet::from);
            let services = self.services(&between)?;
            let unprivileged: Vec<_> =
                services.into_iter().filter(|service| service.uid != 0).collect();
            if let Some(first) = unprivileged.first() {
                draft.hazards.push(Hazard {
                    text: format!(
                        "{} listens on {} as user {} and could not bind the port again after a \
                         restart: below {FLOOR} that needs CAP_NET_BIND_SERVICE",
                        first.owner.as_deref().unwrap_or("a process"),
                        first.address,
                        first.uid
                    ),
                    hint: "choose a lower --unprivileged-start, or leave it out".to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn pair(range: PortRange) -> String {
    format!("{} {}", range.low(), range.high())
}
