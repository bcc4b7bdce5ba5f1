//! How long each system keeps a port after a connection that it closed first.

use crate::System;

impl System {
    /// Seconds that TIME_WAIT lasts by default, twice the maximum segment lifetime.
    ///
    /// Linux: a constant (`TCP_TIMEWAIT_LEN`). The BSDs: 2 x `net.inet.tcp.msl` of 30 s, macOS of
    /// 15 s. illumos, Solaris, HP-UX: `tcp_time_wait_interval`. AIX: `tcp_timewait`, in units of 15 s.
    /// Windows: `TcpTimedWaitDelay`. Tru64, IRIX and BSD/OS keep the 2 x 30 s of 4.4BSD.
    #[must_use]
    pub fn time_wait_seconds(&self) -> u32 {
        match self.name {
            "aix" => 15,
            "macos" => 30,
            "windows" => 120,
            "windows-xp" => 240,
            _ => 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::find;

    #[test]
    fn the_names_are_those_of_systems() {
        for (name, seconds) in [
            ("linux", 60),
            ("aix", 15),
            ("macos", 30),
            ("windows", 120),
            ("windows-xp", 240),
            ("freebsd", 60),
        ] {
            assert_eq!(find(name).unwrap().time_wait_seconds(), seconds, "{name}");
        }
    }
}
