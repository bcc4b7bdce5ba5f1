//! The texts of `/proc/PID`, read. Pure: whatever a process wrote there, nothing here panics.

/// The inode of a descriptor's link `socket:[4711]` (`proc_pid_fd(5)`); none for other files.
#[must_use]
pub fn socket_inode(link: &str) -> Option<u32> {
    let digits = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    // A sign would pass `parse`; the kernel writes none.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The arguments of `/proc/PID/cmdline`, joined by spaces; none for kernel threads and zombies,
/// which have none.
///
/// A process may write there whatever it likes: control characters, which would disturb a
/// terminal, become `?`, and what is not UTF-8 the replacement character.
#[must_use]
pub fn command_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    // Every argument ends with a zero; programs that rename themselves leave many.
    let arguments = text.trim_end_matches('\0');
    let readable = |c: char| match c {
        '\0' => ' ',
        c if c.is_control() => '?',
        c => c,
    };
    let line: String = arguments.chars().map(readable).collect();
    (!line.trim().is_empty()).then_some(line)
}

/// The name of a user in the text of `/etc/passwd` (`passwd(5)`).
#[must_use]
pub fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn socket_links() {
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        for other in [
            "pipe:[4711]",
            "socket:[]",
            "socket:[+1]",
            "socket:[4294967296]",
            "socket:[1",
            "/tmp/socket:[1]",
            "anon_inode:[eventpoll]",
            "",
        ] {
            assert_eq!(socket_inode(other), None, "{other}");
        }
    }

    #[test]
    fn command_lines() {
        assert_eq!(command_line(b"sleep\x005\0").as_deref(), Some("sleep 5"));
        assert_eq!(
            command_line(b"nginx: worker process\0\0\0").as_deref(),
            Some("nginx: worker process")
        );
        assert_eq!(command_line(b"a\x1b[2Jb\n\0").as_deref(), Some("a?[2Jb?"));
        assert_eq!(command_line(b"\xff\0").as_deref(), Some("\u{fffd}"));
        assert_eq!(command_line(b""), None);
        assert_eq!(command_line(b"\0\0"), None);
    }

    #[test]
    fn users() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7::\nweb:x:33:33::/:/bin/false\n";
        assert_eq!(user_name(passwd, 33).as_deref(), Some("web"));
        assert_eq!(user_name(passwd, 0).as_deref(), Some("root"));
        assert_eq!(user_name(passwd, 7), None);
        assert_eq!(user_name(passwd, 3), None);
    }

    proptest! {
        #[test]
        fn a_printed_command_never_disturbs_a_terminal(bytes: Vec<u8>) {
            if let Some(line) = command_line(&bytes) {
                prop_assert!(!line.chars().any(char::is_control));
            }
        }

        #[test]
        fn any_link_is_read_or_refused(link in "(socket:\\[)?\\PC{0,12}\\]?", inode: u32) {
            let _ = socket_inode(&link);
            prop_assert_eq!(socket_inode(&format!("socket:[{inode}]")), Some(inode));
        }

        #[test]
        fn any_passwd_is_read(text in "(\\PC{0,8}:x:[0-9]{0,3}:\\PC{0,5}\n){0,5}", uid in 0u32..99) {
            if let Some(name) = user_name(&text, uid) {
                prop_assert!(text.contains(&name));
            }
        }
    }
}
