//! A change of this host's own kernel: what is set, what it becomes, and in which order.
//!
//! The kernel is read and written directly, in the network namespace that is meant. What counts at
//! boot are the files of `sysctl.d(5)`: dayfly has two of its own there, and reads all others to
//! know what they set before it and after it.

use dayfly_insight::Settings;
use dayfly_insight::doctor::sysctl_files::Assignment;
use dayfly_linux::sysctl::RESERVED;
use dayfly_linux::{evidence, settings};
use dayfly_ports::{Port, PortRange, PortSet, Protocol};
use dayfly_systems::{Class, Current, Request, find};

use super::boot::Boot;
use super::deed::{Content, Deed};
use super::draft::{Difference, Draft, Hazard, Note, Wish, listed, named};
use super::hazard::{Service, exposed, services_on};
use super::journal::{Step, When};
use super::scene::Scene;
use crate::error::Failure;
use crate::place;

const RANGE: &str = "net.ipv4.ip_local_port_range";
const FLOOR: &str = "net.ipv4.ip_unprivileged_port_start";
/// The same names as in the plans of the systems' crate.
const RANGE_FILE: &str = "/etc/sysctl.d/90-dayfly-range.conf";
const RESERVED_FILE: &str = "/etc/sysctl.d/90-dayfly-reserved.conf";
/// What a kernel starts with where no file says anything.
const DEFAULT_FLOOR: u32 = 1024;
/// `sysctl(8)` of procps writes a value in one go, of which the kernel takes a page.
const PAGE: usize = 4096;

/// What the change would do.
pub(crate) fn draft(scene: &Scene, wish: &Wish, when: When) -> Result<Draft, Failure> {
    let look = Look::new(scene)?;
    let mut draft = Draft::default();
    match wish {
        Wish::Range { range, floor, protocols, class } => {
            look.range(&mut draft, *range, *floor, protocols, *class, when)?;
        }
        Wish::Reserve { ports, protocols } => {
            draft.remarks.extend(one_list(protocols));
            look.reserve(&mut draft, ports, when)?;
        }
        Wish::Unreserve { ports, protocols } => {
            draft.remarks.extend(one_list(protocols));
            look.unreserve(&mut draft, ports, when)?;
        }
    }
    Ok(draft)
}

fn one_list(protocols: &[Protocol]) -> Option<Note> {
    find("linux")?.one_list_for_all(protocols).map(Note::from)
}

/// What is set here.
struct Look<'a> {
    scene: &'a Scene,
    settings: Settings,
    boot: Boot,
}

impl<'a> Look<'a> {
    fn new(scene: &'a Scene) -> Result<Self, Failure> {
        let inside = scene.inside(settings::read)?;
        let settings = inside.map_err(|error| Failure::new(&error))?;
        Ok(Look { scene, settings, boot: Boot::read() })
    }

    fn range(
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
            let changing = steps.into_iter().filter(|deed| !is_idle(deed));
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
        let current = Current { floor: Some(floor), ..Current::default() };
        let request = Request {
            range: Some(range),
            protocols,
            class,
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
        // What other files do at boot is known here, not guessed, and whether there is SELinux.
        let has_selinux = evidence::selinux_enforced().is_some();
        let known = |text: &str| {
            text.starts_with("A file whose name sorts after")
                || (text.starts_with("SELinux") && !has_selinux)
        };
        let remarks = plan.remarks.into_iter().filter(|remark| !known(&remark.text));
        draft.remarks.extend(remarks.map(Note::from));
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

    fn reserve(&self, draft: &mut Draft, ports: &PortSet, when: When) -> Result<(), Failure> {
        let kept = &self.settings.reserved;
        if when != When::Boot {
            let mut added = ports.clone();
            added -= kept;
            draft.differences.push(list_difference("now", kept, &(&**kept | ports)));
            if !added.is_empty() {
                draft.steps.push(self.reservation(&added, &PortSet::EMPTY)?);
                self.reserve_hazards(draft, &added);
            }
        }
        let mut by_hand = (**kept).clone();
        by_hand -= ports;
        if when != When::Now {
            let (base, from) = self.reserved_at_boot();
            let list = &base | ports;
            by_hand -= &list;
            draft.differences.push(list_difference("at boot", &from, &(&from | ports)));
            let (_, after) = self.boot.round(RESERVED, RESERVED_FILE);
            if let Some(found) = after.last()
                && let mut lost = ports.clone()
                && {
                    lost -= &list_of(found);
                    !lost.is_empty()
                }
            {
                draft.hazards.push(overridden(
                    found,
                    RESERVED,
                    RESERVED_FILE,
                    &format!("a list without {}", named(&lost)),
                ));
            }
            if ports.intersection_len(&base) < ports.len()
                || self.boot.within(RESERVED, RESERVED_FILE).is_some()
            {
                draft.steps.extend(self.file(RESERVED_FILE, Some(list_file(&list)))?);
            }
            self.long_line(draft, &list);
        }
        let mut others = (**kept).clone();
        others -= ports;
        if !others.is_empty() {
            draft.remarks.push(Note::advice(format!(
                "Kept as they are: {}{}.",
                listed(&others),
                self.origin(&others)
            )));
        }
        if when == When::Both && !by_hand.is_empty() {
            draft.remarks.push(Note::advice(format!(
                "In no file of sysctl.d, and so not reserved after a boot unless whoever reserved \
                 them does it again (Cilium and Talos do): {}.",
                listed(&by_hand)
            )));
        }
        Ok(())
    }

    fn unreserve(&self, draft: &mut Draft, ports: &PortSet, when: When) -> Result<(), Failure> {
        let kept = &self.settings.reserved;
        if when != When::Boot {
            let removed = &**kept & ports;
            let mut left = (**kept).clone();
            left -= ports;
            draft.differences.push(list_difference("now", kept, &left));
            let mut never = ports.clone();
            never -= kept;
            if !never.is_empty() {
                draft
                    .remarks
                    .push(Note::advice(format!("Not reserved anyway: {}.", listed(&never))));
            }
            if !removed.is_empty() {
                draft.steps.push(self.reservation(&PortSet::EMPTY, &removed)?);
                let mut handed_out = PortSet::EMPTY;
                for setting in &self.settings.ranges {
                    handed_out |= &PortSet::from(setting.range);
                }
                let hazard = exposed(
                    &self.services(&(&handed_out & &removed))?,
                    "that the kernel would hand out again",
                    |ports| format!("leave {} reserved", named(ports)),
                );
                draft.hazards.extend(hazard);
            }
        }
        if when == When::Now {
            return Ok(());
        }
        let (base, from) = self.reserved_at_boot();
        let mut list = base.clone();
        list -= ports;
        let (before, after) = self.boot.round(RESERVED, RESERVED_FILE);
        let others = before.map(list_of).unwrap_or_default();
        let is_changed = base.intersection_len(ports) > 0;
        if is_changed {
            // A file that says what is so without it only gets stale.
            let content = (list != others).then(|| list_file(&list));
            if let (Some(found), Some(_)) = (before, &content)
                && others.intersection_len(ports) > 0
            {
                draft.remarks.push(Note::advice(format!(
                    "{} still lists {}; {RESERVED_FILE} comes later and leaves it out.",
                    place_of(found),
                    named(&(&others & ports))
                )));
            }
            draft.steps.extend(self.file(RESERVED_FILE, content)?);
            self.long_line(draft, &list);
        }
        let mut at_boot = if after.is_empty() { list } else { from.clone() };
        for found in after.iter().filter(|found| self.boot.last(RESERVED) == Some(found)) {
            let back = &list_of(found) & ports;
            at_boot = list_of(found);
            if !back.is_empty() {
                draft.remarks.push(Note::warning(format!(
                    "At boot {} reserves {} again: take it out of that line, too.",
                    place_of(found),
                    named(&back)
                )));
            }
        }
        draft.differences.push(list_difference("at boot", &from, &at_boot));
        Ok(())
    }

    /// What our file has or would have to say to change nothing, and what the files make of it all.
    fn reserved_at_boot(&self) -> (PortSet, PortSet) {
        let (before, _) = self.boot.round(RESERVED, RESERVED_FILE);
        let mut base = before.map(list_of).unwrap_or_default();
        if let Some(ours) = self.boot.within(RESERVED, RESERVED_FILE) {
            base = list_of(ours);
        }
        (base, self.boot.last(RESERVED).map(list_of).unwrap_or_default())
    }

    fn reserve_hazards(&self, draft: &mut Draft, added: &PortSet) {
        for setting in &self.settings.ranges {
            let mut usable = self.settings.usable(setting.protocol);
            let had = usable.len();
            usable -= added;
            if usable.is_empty() && had > 0 {
                let text = format!("no port of {} is left unreserved", setting.range);
                draft.hazards.push(nothing_left(&text));
                return;
            }
        }
    }

    /// A line that one of the two programs that read it does not read to its end.
    fn long_line(&self, draft: &mut Draft, list: &PortSet) {
        let length = list.to_string().len();
        if length < PAGE {
            return;
        }
        if self.boot.has_systemd() {
            draft.remarks.push(Note::warning(format!(
                "The list has {length} bytes. At boot systemd-sysctl reads all of it; `sysctl \
                 --system` typed by hand keeps the first {PAGE} only: use `systemctl restart \
                 systemd-sysctl` instead."
            )));
        } else {
            draft.hazards.push(Hazard {
                text: format!(
                    "the list has {length} bytes, and this host has no systemd-sysctl: at boot \
                     sysctl(8) reads the first {PAGE} only"
                ),
                hint: "reserve whole ranges instead of single ports, or --runtime".to_owned(),
            });
        }
    }

    /// Which file entries of the list come from.
    fn origin(&self, ports: &PortSet) -> String {
        let Some(found) = self.boot.last(RESERVED) else { return String::new() };
        let from_file = list_of(found);
        if from_file.intersection_len(ports) == 0 {
            return String::new();
        }
        let of_them = &from_file & ports;
        if of_them == *ports {
            return format!(" (set by {})", place_of(found));
        }
        format!(" ({} set by {})", listed(&of_them), place_of(found))
    }

    /// A command of dayfly for the same place.
    fn typed(&self, words: &str) -> String {
        match self.scene.namespace.as_ref().filter(|namespace| !namespace.is_own()) {
            Some(namespace) => format!("dayfly {words} --netns {}", namespace.address()),
            None => format!("dayfly {words}"),
        }
    }

    fn services(&self, ports: &PortSet) -> Result<Vec<Service>, Failure> {
        let found = {
            let settings = &self.settings;
            self.scene.inside(|| services_on(ports, settings))?
        };
        found.map_err(|error| place::impossible(&error))
    }

    fn setting(&self, name: &str, after: String) -> Result<Deed, Failure> {
        let before = self.scene.read_setting(name)?;
        Ok(Deed::Setting { name: name.to_owned(), before, after })
    }

    fn reservation(&self, add: &PortSet, remove: &PortSet) -> Result<Step, Failure> {
        let before = self.scene.read_setting(RESERVED)?;
        let deed = Deed::Reserve { before, add: add.to_string(), remove: remove.to_string() };
        Ok(Step { when: When::Now, deed })
    }

    /// The step that makes one of our files hold this, unless it does.
    fn file(&self, path: &str, text: Option<String>) -> Result<Option<Step>, Failure> {
        let before = self.scene.host.read(path)?.map(Content::new);
        let after = text.map(Content::Text);
        let deed = Deed::File { path: path.to_owned(), mode: 0o644, before, after };
        Ok((!is_idle(&deed)).then_some(Step { when: When::Boot, deed }))
    }
}

/// Whether a deed leaves everything as it is.
fn is_idle(deed: &Deed) -> bool {
    match deed {
        Deed::Setting { before, after, .. } => {
            before.split_whitespace().eq(after.split_whitespace())
        }
        Deed::File { before, after, .. } => before == after,
        Deed::Reserve { add, remove, .. } => add.is_empty() && remove.is_empty(),
        Deed::Command { .. } => false,
    }
}

fn pair(range: PortRange) -> String {
    format!("{} {}", range.low(), range.high())
}

fn list_file(list: &PortSet) -> String {
    format!(
        "# Written by dayfly; `dayfly unreserve` and `dayfly undo` take out of it.\n\
         # The list replaces that of files before this one, so their ports are part of it.\n\
         {RESERVED} = {list}\n"
    )
}

fn list_of(found: &Assignment) -> PortSet {
    found.value.parse().unwrap_or_default()
}

fn place_of(found: &Assignment) -> String {
    format!("{}:{}", found.file, found.line)
}

fn difference(
    setting: &str,
    when: &'static str,
    from: impl ToString,
    to: impl ToString,
) -> Difference {
    Difference { setting: setting.to_owned(), when, from: from.to_string(), to: to.to_string() }
}

fn list_difference(when: &'static str, from: &PortSet, to: &PortSet) -> Difference {
    difference(RESERVED, when, from, to)
}

fn overridden(found: &Assignment, key: &str, ours: &str, what: &str) -> Hazard {
    Hazard {
        text: format!(
            "at boot {} sets {key} to {what}, after {ours}: the change would not last",
            place_of(found)
        ),
        hint: format!("take line {} out of {}; or --runtime", found.line, found.file),
    }
}

fn nothing_left(why: &str) -> Hazard {
    Hazard {
        text: format!("{why}: no connect() and no bind() to port 0 would succeed any more"),
        hint: "leave some ports of the range unreserved".to_owned(),
    }
}
