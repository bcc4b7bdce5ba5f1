//! A change of this host's own kernel: what is set, what it becomes, and in which order.
//!
//! The kernel is read and written directly, in the network namespace that is meant. What counts at
//! boot are the files of `sysctl.d(5)`: dayfly has two of its own there, and reads all others to
//! know what they set before it and after it.

mod range;
mod reserved;

use dayfly_insight::Settings;
use dayfly_insight::doctor::sysctl_files::Assignment;
use dayfly_linux::settings;
use dayfly_ports::{PortSet, Protocol};
use dayfly_systems::find;

use super::boot::Boot;
use super::deed::{Content, Deed};
use super::draft::{Difference, Draft, Hazard, Note, Wish};
use super::hazard::{Service, services_on};
use super::journal::{Step, When};
use super::scene::Scene;
use crate::error::Failure;
use crate::place;
use crate::quote::posix;

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

    /// A command of dayfly for the same place.
    fn typed(&self, words: &str) -> String {
        match self.scene.namespace.as_ref().filter(|namespace| !namespace.is_own()) {
            Some(namespace) => format!("dayfly {words} --netns {}", posix(namespace.address())),
            None => format!("dayfly {words}"),
        }
    }

    fn services(&self, ports: &PortSet) -> Result<Vec<Service>, Failure> {
        let settings = &self.settings;
        let found = self.scene.inside(|| services_on(ports, settings))?;
        found.map_err(|error| place::impossible(&error))
    }

    fn setting(&self, name: &str, after: String) -> Result<Deed, Failure> {
        let before = self.scene.read_setting(name)?;
        Ok(Deed::Setting { name: name.to_owned(), before, after })
    }

    /// The step that makes one of our files hold this, unless it does.
    fn file(&self, path: &str, text: Option<String>) -> Result<Option<Step>, Failure> {
        let before = self.scene.host.read(path)?.map(Content::new);
        let after = text.map(Content::Text);
        let deed = Deed::File { path: path.to_owned(), mode: 0o644, before, after };
        Ok((!deed.is_idle()).then_some(Step { when: When::Boot, deed }))
    }
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
