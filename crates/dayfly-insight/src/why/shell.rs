//! Commands as they are to be typed: where the answer applies, with the privilege that it takes.

use std::fmt;

/// How a command is run where the answer applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shell {
    prefix: String,
    /// How dayfly itself is called; empty for its bare name.
    program: String,
    /// Where it is to look: ` --netns web`.
    place: String,
    /// Whether another host's shell reads the command, after this one's.
    quoted: bool,
}

impl Shell {
    /// A shell whose commands need these words in front: `sudo`, `ip netns exec web`.
    #[must_use]
    pub fn with_prefix(words: &str) -> Self {
        let prefix = if words.is_empty() { String::new() } else { format!("{words} ") };
        Shell { prefix, ..Shell::default() }
    }

    /// A shell of another host, to which `ssh` brings every command.
    #[must_use]
    pub fn over_ssh(url: &str) -> Self {
        Shell { quoted: true, ..Shell::with_prefix(&format!("ssh {url}")) }
    }

    /// The same, in which dayfly is called by these words (`sudo /usr/bin/dayfly`) and followed by
    /// those (`--netns web`).
    #[must_use]
    pub fn with_dayfly(self, program: &str, place: &str) -> Self {
        let place = if place.is_empty() { String::new() } else { format!(" {place}") };
        Shell { program: program.to_owned(), place, ..self }
    }

    /// Whether it is another host's.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.quoted
    }

    /// A command of dayfly itself.
    #[must_use]
    pub fn dayfly(&self, words: &str) -> Command {
        let program = if self.program.is_empty() { "dayfly" } else { &self.program };
        Command(format!("{program} {words}{}", self.place))
    }

    /// The command as it is to be typed.
    #[must_use]
    pub fn command(&self, command: &str) -> Command {
        if self.quoted {
            return Command(format!("{}'{}'", self.prefix, command.replace('\'', r"'\''")));
        }
        Command(format!("{}{command}", self.prefix))
    }

    /// Several, each if the one before succeeded.
    #[must_use]
    pub fn commands(&self, commands: &[String]) -> Command {
        let typed: Vec<String> = commands.iter().map(|one| self.command(one).into()).collect();
        Command(typed.join(" && "))
    }

    /// The command that sets a sysctl until the next boot.
    #[must_use]
    pub fn sysctl(&self, key: &str, value: &str) -> Command {
        let quote = if value.contains(' ') { "'" } else { "" };
        self.command(&format!("sysctl -w {quote}{key}={value}{quote}"))
    }
}

/// A line for a shell, complete: whoever shows it breaks it nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(String);

impl Command {
    /// A command that is run where the reader is, by the reader.
    #[must_use]
    pub fn here(command: impl Into<String>) -> Self {
        Command(command.into())
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Command> for String {
    fn from(command: Command) -> Self {
        command.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_carry_their_surroundings() {
        let shell = Shell::with_prefix("sudo ip netns exec web");
        assert_eq!(
            shell.sysctl("net.ipv4.ip_local_port_range", "1024 65535").to_string(),
            "sudo ip netns exec web sysctl -w 'net.ipv4.ip_local_port_range=1024 65535'"
        );
        assert_eq!(Shell::default().sysctl("a.b", "1").to_string(), "sysctl -w a.b=1");
        assert_eq!(Shell::default().dayfly("reserve 80").to_string(), "dayfly reserve 80");
        let shell = shell.with_dayfly("sudo /opt/dayfly", "--netns web");
        assert_eq!(
            shell.dayfly("reserve 80").to_string(),
            "sudo /opt/dayfly reserve 80 --netns web"
        );
    }
}
