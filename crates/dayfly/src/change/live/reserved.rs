//! Ports that are not handed out, and again are.

use dayfly_insight::doctor::sysctl_files::Assignment;
use dayfly_linux::sysctl::RESERVED;
use dayfly_ports::PortSet;

use super::{Look, difference, nothing_left, overridden, place_of};
use crate::change::deed::Deed;
use crate::change::draft::{Difference, Draft, Hazard, Note, listed, named};
use crate::change::hazard::exposed;
use crate::change::journal::{Step, When};
use crate::error::Failure;

/// The same name as in the plans of the systems' crate.
const RESERVED_FILE: &str = "/etc/sysctl.d/90-dayfly-reserved.conf";
/// `sysctl(8)` of procps writes a value in one go, of which the kernel takes a page.
const PAGE: usize = 4096;

impl Look<'_> {
    pub(super) fn reserve(
        &self,
        draft: &mut Draft,
        ports: &PortSet,
        when: When,
    ) -> Result<(), Failure> {
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

    pub(super) fn unreserve(
        &self,
        draft: &mut Draft,
        ports: &PortSet,
        when: When,
    ) -> Result<(), Failure> {
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

    fn reservation(&self, add: &PortSet, remove: &PortSet) -> Result<Step, Failure> {
        let before = self.scene.read_setting(RESERVED)?;
        let deed = Deed::Reserve { before, add: add.to_string(), remove: remove.to_string() };
        Ok(Step { when: When::Now, deed })
    }
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

fn list_difference(when: &'static str, from: &PortSet, to: &PortSet) -> Difference {
    difference(RESERVED, when, from, to)
}
