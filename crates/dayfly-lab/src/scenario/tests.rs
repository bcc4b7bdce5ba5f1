//! Good text is understood, bad text is answered with its place.

use super::*;

const LEAST: &str = "[[host]]\nsystem = \"linux\"\n[[destination]]\n[[workload]]\nrate = 1\n";

fn refusal(text: &str) -> ScenarioError {
    Scenario::parse(text).unwrap_err()
}

#[test]
fn the_least_scenario_has_defaults() {
    let scenario = Scenario::parse(LEAST).unwrap();
    let host = &scenario.hosts[0];
    assert_eq!(host.range, PortRange::LINUX_DEFAULT);
    assert_eq!((host.time_wait, host.usable()), (60 * SECOND, 28_232));
    assert_eq!(host.reuse, Reuse::Loopback(SECOND));
    assert_eq!(scenario.workloads[0].pace, Pace::Poisson(1.0));
    assert_eq!(scenario.workloads[0].name, "workload-1");
}

#[test]
fn a_wrong_key_is_named_with_its_place_and_the_nearest_one() {
    let error = refusal("[[host]]\nsystem = \"linux\"\n  rnage = \"1-2\"\n");
    assert_eq!((error.line, error.column), (3, 3));
    assert_eq!(error.message, "there is no key \"rnage\" here");
    assert_eq!(error.hint.as_deref(), Some("did you mean range?"));
    assert_eq!(error.text, "  rnage = \"1-2\"");
}

#[test]
fn wrong_values_are_named_with_their_place() {
    for (with, line, message, hint) in [
        ("system = \"linxu\"", 2, "there is no system \"linxu\"", "did you mean linux?"),
        ("system = \"linux\"\nrange = \"9-1\"", 3, "", ""),
        (
            "system = \"linux\"\nversion = \"new\"",
            3,
            "\"new\" is no version",
            "write it as \"6.18\"",
        ),
        (
            "system = \"aix\"\nversion = \"7.3\"",
            3,
            "versions of aix are not told apart",
            "leave version out",
        ),
        ("system = \"linux\"\ncount = 0", 3, "count is between 1 and 1000000", ""),
        ("system = \"linux\"\ntime_wait = \"soon\"", 3, "", ""),
        (
            "system = \"linux\"\nstrategy = \"vpn\"",
            3,
            "there is no strategy \"vpn\"",
            "did you mean vpp?",
        ),
        ("system = \"linux\"\ntw_reuse = \"always\"", 3, "there is no word \"always\" here", ""),
    ] {
        let error =
            refusal(&format!("[[host]]\n{with}\n[[destination]]\n[[workload]]\nrate = 1\n"));
        assert_eq!(error.line, line, "{with}: {error}");
        assert!(message.is_empty() || error.message == message, "{with}: {error}");
        assert!(hint.is_empty() || error.hint.as_deref() == Some(hint), "{with}: {:?}", error.hint);
    }
}

#[test]
fn wrong_workloads_are_named_with_their_place() {
    for (workload, message) in [
        ("", "how often does it happen?"),
        ("rate = 1\nparallel = 1", "rate and parallel: one of them paces a workload"),
        ("rate = 0", "rate is between 0.000001 and 1e9 a second"),
        ("rate = 1\nburst = 2", "burst belongs to arrivals = \"bursts\""),
        ("rate = 1\nfiles = 2", "files belongs to workloads of the kind \"ftp\""),
        ("rate = 1\nhost = \"x\"", "there is no host \"x\""),
        ("rate = 1\nkind = \"predict\"", "whose ports are to be predicted?"),
        ("rate = 1\nduration = { uniform = [3, 1] }", "the first end is above the second"),
        ("rate = 1\nkind = \"fpt\"", "there is no word \"fpt\" here"),
    ] {
        let text = format!(
            "[[host]]\nname = \"a\"\nsystem = \"linux\"\n[[destination]]\n[[workload]]\n{workload}\n"
        );
        let error = refusal(&text);
        assert!(error.message.starts_with(message), "{workload}: {error}");
        assert!((5..=8).contains(&error.line), "{workload}: {error}");
    }
    assert_eq!(refusal("").message, "there is no host");
    assert_eq!(refusal("[[host]]\nsystem = \"aix\"").message, "nothing happens");
    let twice = format!("[[host]]\nsystem = \"linux\"\n{LEAST}");
    assert_eq!(refusal(&twice).message, "which host is meant?");
}

#[test]
fn too_much_is_refused_before_it_is_begun() {
    let text = LEAST.replace("[[destination]]\n", "[[destination]]\ncount = 100000\n");
    let error = refusal(&text.replace("\"linux\"\n", "\"linux\"\ncount = 1000\n"));
    assert!(error.message.starts_with("100000000 pairs"), "{error}");
}

#[test]
fn every_preset_can_be_read() {
    for (word, workload) in PresetKind::ALL {
        for system in super::behaviour::names() {
            let text = preset(&Preset {
                system: system.to_owned(),
                workload,
                rate: None,
                duration: Some(SECOND),
                lasts: None,
                range: None,
                destinations: 1,
                time_wait: None,
                seed: 1,
            });
            assert!(Scenario::parse(&text).is_ok(), "{word} of {system}: {text}");
        }
    }
}

/// Every key is on the page that explains them.
#[test]
fn every_key_is_documented() {
    let page = include_str!("../../../../docs/scenario.md");
    let source = include_str!("written.rs");
    let keys = source.lines().filter_map(|line| {
        let (key, kind) = line.trim().strip_prefix("pub(super) ")?.split_once(": ")?;
        (!kind.is_empty()).then_some(key)
    });
    let missing: Vec<&str> = keys.filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/scenario.md says nothing of {missing:?}");
    for name in super::behaviour::names().chain(super::behaviour::strategies()) {
        assert!(page.contains(name), "docs/scenario.md says nothing of {name}");
    }
}
