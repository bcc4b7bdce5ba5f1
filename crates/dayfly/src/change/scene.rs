//! Where a change happens: a host and, on this one, a network namespace.

use std::io;

use dayfly_linux::namespace::{Namespace, NamespaceError};
use dayfly_linux::sysctl;
use dayfly_ports::PortSet;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::host::{Host, HostError, Local, Remote};

/// A host to look at and to change.
pub(crate) struct Scene {
    pub(crate) host: Box<dyn Host>,
    /// The network namespace whose settings are meant; none on another host.
    pub(crate) namespace: Option<Namespace>,
    /// Whether the change was made in a namespace that is no more.
    pub(crate) gone: bool,
}

/// What a journal remembers of a scene.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// [`Host::name`].
    pub(crate) host: String,
    pub(crate) namespace: Option<NamespacePlace>,
}

/// A network namespace of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespacePlace {
    /// What people call it.
    pub(crate) name: String,
    /// What `--netns` takes.
    pub(crate) address: String,
    /// The inode: the same number means the same namespace until the next boot.
    pub(crate) id: u64,
    /// Whether it is the one that the host starts with, which outlives a boot.
    pub(crate) is_host: bool,
    /// `/proc/sys/kernel/random/boot_id` of the boot that the number is of.
    pub(crate) boot: String,
}

impl Place {
    /// Whether looking at it means to connect to another host.
    pub(crate) const fn is_remote(&self) -> bool {
        self.namespace.is_none()
    }
}

impl Scene {
    /// This host and one of its namespaces.
    pub(crate) fn local(namespace: Namespace) -> Scene {
        Scene { host: Box::new(Local), namespace: Some(namespace), gone: false }
    }

    /// Another host.
    pub(crate) fn remote(host: Remote) -> Scene {
        Scene { host: Box::new(host), namespace: None, gone: false }
    }

    /// The scene of a journal, found again: the namespace that was meant, or the other host, which
    /// is connected to.
    pub(crate) fn again(place: &Place) -> Result<Scene, Failure> {
        let Some(wanted) = &place.namespace else {
            let address = place.host.parse().map_err(|error| {
                Failure::new(format_args!("the journal's host cannot be reached: {error}"))
            })?;
            return Ok(Scene::remote(Remote::connect(&address)?));
        };
        let same_boot = boot_id() == wanted.boot;
        let is_it = |found: &Namespace| {
            if same_boot { found.id() == wanted.id } else { wanted.is_host && found.is_host() }
        };
        let find = |address: &str| Namespace::find(address).ok().filter(is_it);
        let own = Namespace::own().ok().filter(is_it);
        let namespace = own
            .or_else(|| find(&wanted.address))
            .or_else(|| Namespace::all().namespaces.into_iter().find(is_it))
            // A name stands for what it was made for, also after a boot.
            .or_else(|| (!same_boot).then(|| Namespace::find(&wanted.address).ok()).flatten());
        Ok(Scene { host: Box::new(Local), gone: namespace.is_none(), namespace })
    }

    pub(crate) fn place(&self) -> Place {
        let of_namespace = |namespace: &Namespace| NamespacePlace {
            name: namespace.name().to_owned(),
            address: namespace.address().to_owned(),
            id: namespace.id(),
            is_host: namespace.is_host(),
            boot: boot_id(),
        };
        Place {
            host: self.host.name().to_owned(),
            namespace: self.namespace.as_ref().map(of_namespace),
        }
    }

    pub(crate) fn read_setting(&self, name: &str) -> Result<String, HostError> {
        self.inside(|| sysctl::read(name))?
            .map_err(|error| HostError::new(format_args!("{name} cannot be read: {error}")))
    }

    pub(crate) fn write_setting(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.inside(|| sysctl::write(name, value))?.map_err(|error| refused(name, value, &error))
    }

    pub(crate) fn reserve(&self, ports: &PortSet) -> Result<(), HostError> {
        self.inside(|| sysctl::reserve(ports))?
            .map_err(|error| refused(sysctl::RESERVED, &ports.to_string(), &error))
    }

    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, HostError> {
        let Some(namespace) = &self.namespace else {
            return Err(HostError::new("the network namespace of this change is gone"));
        };
        namespace.run(work).map_err(|error| of_namespace(&error))
    }
}

fn of_namespace(error: &NamespaceError) -> HostError {
    HostError { is_permission: error.is_permission(), ..HostError::new(error) }
}

fn refused(name: &str, value: &str, error: &io::Error) -> HostError {
    let mut shown: String = value.chars().take(60).collect();
    if shown.len() < value.len() {
        shown.push_str("...");
    }
    let why = match error.kind() {
        io::ErrorKind::InvalidInput => "the kernel refuses it (EINVAL)".to_owned(),
        _ => error.to_string(),
    };
    HostError {
        is_permission: error.kind() == io::ErrorKind::PermissionDenied,
        ..HostError::new(format_args!("{name} cannot be set to {shown:?}: {why}"))
    }
}

/// Which boot this is; empty where the kernel does not tell.
pub(super) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}
