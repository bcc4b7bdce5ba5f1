//! Which system a host has, by what its own commands say about it.

use std::fmt;

use crate::{System, find};

/// Commands for a shell of the Bourne family that tell everything that [`identified`] asks for,
/// one `name=value` a line. Where a command does not exist, its value is empty.
pub const QUESTION: &str = "\
echo \"s=`uname -s 2>/dev/null`\"
echo \"r=`uname -r 2>/dev/null`\"
echo \"v=`uname -v 2>/dev/null`\"
echo \"oslevel=`oslevel 2>/dev/null`\"
echo \"release=`sed 1q /etc/release 2>/dev/null`\"
echo \"android=`getprop ro.build.version.release 2>/dev/null`\"
echo \"macos=`sw_vers -productVersion 2>/dev/null`\"
";

/// A system and its version, as far as it tells: `FreeBSD 14.1-RELEASE`.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The system.
    pub system: &'static System,
    /// What it calls itself, with its version.
    pub version: String,
}

/// A host whose system is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What it calls itself; empty if it said nothing of the kind.
    pub name: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str("it does not say which operating system it is")
        } else {
            write!(f, "it says that its operating system is {:?}, which is not known", self.name)
        }
    }
}

impl std::error::Error for Unknown {}

/// The system that answered [`QUESTION`].
///
/// # Errors
/// [`Unknown`] when it is none of the sixteen.
pub fn identified(answer: &str) -> Result<Identified, Unknown> {
    let value = |name: &str| {
        let line =
            answer.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        printable(line.unwrap_or_default())
    };
    let (kernel, release) = (value("s"), value("r"));
    let one = |name: &str, version: String| {
        let system = find(name).ok_or_else(|| Unknown { name: kernel.clone() })?;
        Ok(Identified { system, version: version.trim().to_owned() })
    };
    let plain = format!("{kernel} {release}");
    match kernel.as_str() {
        "Linux" if !value("android").is_empty() => {
            one("android", format!("Android {} (Linux {release})", value("android")))
        }
        "AIX" => {
            let level = value("oslevel");
            // `uname -r` is the second number of the version, `uname -v` the first.
            let level = if level.is_empty() { format!("{}.{release}", value("v")) } else { level };
            one("aix", format!("AIX {level}"))
        }
        "Darwin" => one("macos", format!("macOS {} (Darwin {release})", value("macos"))),
        "SunOS" => {
            let title = value("release");
            let version =
                if title.is_empty() { plain } else { format!("{title} (SunOS {release})") };
            // Solaris 10 calls itself SunOS 5.10. ipadm came with 5.11.
            let minor = release.strip_prefix("5.").and_then(|minor| minor.parse::<u32>().ok());
            one(if minor.is_some_and(|minor| minor >= 11) { "illumos" } else { "solaris" }, version)
        }
        "GNU/kFreeBSD" => one("freebsd", plain),
        "IRIX64" => one("irix", plain),
        "Linux" | "BSD/OS" | "FreeBSD" | "HP-UX" | "IRIX" | "NetBSD" | "OpenBSD" | "OSF1" => {
            one(&kernel, plain)
        }
        "DragonFly" => one("dragonfly", plain),
        _ => Err(Unknown { name: kernel }),
    }
}

/// The system that answered `ver`, the command of cmd.exe: `Microsoft Windows [Version
/// 10.0.20348.2700]`, in whatever language. None if it is no such answer.
#[must_use]
pub fn identified_windows(answer: &str) -> Option<Identified> {
    let line = answer.lines().find(|line| line.contains("Windows") && line.contains('['))?;
    let (_, inside) = line.split_once('[')?;
    let number = inside.split(|c: char| !c.is_ascii_digit() && c != '.');
    let number = number.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let major: u32 = number.split('.').next()?.parse().ok()?;
    let name = match major {
        5 => "windows-xp",
        6.. => "windows",
        _ => return None,
    };
    Some(Identified { system: find(name)?, version: printable(line) })
}

/// What a host says about itself is shown to people.
fn printable(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { '?' } else { c };
    text.trim().chars().take(100).map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_known_by_its_uname() {
        for (answer, name, version) in [
            ("s=AIX\nr=2\nv=7\noslevel=7.2.0.0\n", "aix", "AIX 7.2.0.0"),
            ("s=AIX\nr=3\nv=4\noslevel=", "aix", "AIX 4.3"),
            ("s=Linux\nr=4.14.186\nandroid=11", "android", "Android 11 (Linux 4.14.186)"),
            ("s=Linux\r\nr=6.1.0-18-amd64\r\n", "linux", "Linux 6.1.0-18-amd64"),
            ("s=BSD/OS\nr=4.3", "bsdos", "BSD/OS 4.3"),
            ("s=DragonFly\nr=6.4-RELEASE", "dragonfly", "DragonFly 6.4-RELEASE"),
            ("s=FreeBSD\nr=14.1-RELEASE-p5", "freebsd", "FreeBSD 14.1-RELEASE-p5"),
            ("s=HP-UX\nr=B.11.31", "hpux", "HP-UX B.11.31"),
            ("s=IRIX64\nr=6.5", "irix", "IRIX64 6.5"),
            ("s=Darwin\nr=23.5.0\nmacos=14.5", "macos", "macOS 14.5 (Darwin 23.5.0)"),
            ("s=NetBSD\nr=10.0", "netbsd", "NetBSD 10.0"),
            ("s=OpenBSD\nr=7.5", "openbsd", "OpenBSD 7.5"),
            ("s=OSF1\nr=V5.1", "tru64", "OSF1 V5.1"),
            ("s=SunOS\nr=5.9", "solaris", "SunOS 5.9"),
            (
                "s=SunOS\nr=5.10\nrelease=  Solaris 10 1/13",
                "solaris",
                "Solaris 10 1/13 (SunOS 5.10)",
            ),
            (
                "s=SunOS\nr=5.11\nrelease= OmniOS v11 r151048",
                "illumos",
                "OmniOS v11 r151048 (SunOS 5.11)",
            ),
        ] {
            let found = identified(answer).unwrap();
            assert_eq!((found.system.name, found.version.as_str()), (name, version));
        }
        assert_eq!(identified("s=Haiku\n").unwrap_err().name, "Haiku");
        assert_eq!(identified("s=\x1b[2J\n").unwrap_err().name, "?[2J");
        assert_eq!(identified("").unwrap_err().name, "");
    }

    #[test]
    fn windows_is_known_in_every_language() {
        for (answer, name) in [
            ("\r\nMicrosoft Windows [Version 10.0.20348.2700]\r\n", "windows"),
            ("\r\nMicrosoft Windows [\u{fffd}\u{fffd} 10.0.19045.4529]", "windows"),
            ("Microsoft Windows XP [Version 5.1.2600]", "windows-xp"),
            ("Microsoft Windows 2000 [Version 5.00.2195]", "windows-xp"),
        ] {
            assert_eq!(identified_windows(answer).unwrap().system.name, name);
        }
        for other in ["ver: command not found", "", "Windows NT [Version 4.0]", "Windows []"] {
            assert!(identified_windows(other).is_none(), "{other}");
        }
    }
}
