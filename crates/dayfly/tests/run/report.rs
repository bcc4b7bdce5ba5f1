//! What `--report` tells: the table, the lines of JSON, and what a way does not reach.

use crate::stand::{Stand, VIAS, Who};

#[test]
fn a_table_at_the_end() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let options = format!("--via {via} --port 63999 --report");
        let done = stand.run(who, &options, "@client connect @4");
        assert!(done.success(), "{who:?} {via}: {done:?}");
        insta::with_settings!({ filters => filters() }, {
            insta::assert_snapshot!(format!("table_{who:?}_{via}"), done.stderr);
        });
    }
}

#[test]
fn lines_of_json_as_it_happens() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let file = stand.new_file();
        // Only root may write into the folder of the tests.
        let place = match who {
            Who::User => String::new(),
            Who::Root => format!("={}", file.display()),
        };
        let options = format!("--via {via} --port 63999 --json --report{place}");
        let done = stand.run(who, &options, "@client connect @4");
        assert!(done.success(), "{who:?} {via}: {done:?}");
        let told = std::fs::read_to_string(&file).unwrap_or(done.stderr);
        insta::with_settings!({ filters => filters() }, {
            insta::assert_snapshot!(format!("lines_{who:?}_{via}"), told);
        });
    }
}

/// BPF sees no datagram that is sent without connect(); nothing else would say so.
#[test]
fn what_bpf_does_not_reach() {
    crate::stand!();
    let stand = Stand::near();
    let words = "@client connect @4";
    let done = stand.run(Who::Root, "--via bpf --udp --port 63999", words);
    assert!(done.success(), "{done:?}");
    assert!(done.stderr.contains("sendto()") && done.stderr.contains("--via seccomp"), "{done:?}");
    let quiet = stand.run(Who::Root, "--via bpf --udp --quiet --port 63999", words);
    assert_eq!(quiet.stderr, "", "{quiet:?}");
}

/// Process numbers differ from run to run.
fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r#""(pid|thread)":\d+"#, r#""$1":[pid]"#),
        (r"\(\d+\)", "([pid])"),
        (r"  +client", "  client"),
    ]
}
