//! A service of the service management facility of Solaris 10 and later, in place of a boot script.
//!
//! Source: smf(5), smf_method(5), service_bundle(4), svccfg(1M). The service has nothing that runs
//! on: it is transient, its start method sets the range, and its stop method leaves it.

use crate::init_script::{self, Place};
use crate::plan::Job;
use crate::{Action, Check, Step, When};

const METHOD: &str = "/lib/svc/method/ephemports";
const MANIFEST: &str = "/var/svc/manifest/site/ephemports.xml";
const SERVICE: &str = "site/ephemports";

/// The method, the manifest, and their import, which starts the service as well.
pub(crate) fn steps(job: &Job<'_>, ndd: &'static str) -> Vec<Step> {
    let place = Place { ndd, path: METHOD, link: MANIFEST };
    let method = init_script::ndd(job, &place);
    vec![
        Step {
            when: When::Boot,
            action: Action::Write { path: METHOD, mode: 0o555, content: method },
            check: Check::new(format!("sh -n {METHOD} && echo whole"), "whole"),
            undo: vec![Action::Remove { path: METHOD }],
        },
        Step {
            when: When::Boot,
            action: Action::Write { path: MANIFEST, mode: 0o444, content: manifest() },
            check: Check::new(format!("svccfg validate {MANIFEST} && echo valid"), "valid"),
            undo: vec![Action::Remove { path: MANIFEST }],
        },
        Step {
            when: When::Boot,
            action: Action::Run(format!("svccfg import {MANIFEST}")),
            check: Check::new(format!("svcs -H -o state {SERVICE}"), "online"),
            undo: vec![
                Action::Run(format!("svcadm disable -s {SERVICE}")),
                Action::Run(format!("svccfg delete {SERVICE}")),
            ],
        },
    ]
}

fn manifest() -> String {
    format!(
        r#"<?xml version="1.0"?>
<!DOCTYPE service_bundle SYSTEM "/usr/share/lib/xml/dtd/service_bundle.dtd.1">
<service_bundle type="manifest" name="ephemports">
<service name="{SERVICE}" type="service" version="1">
    <create_default_instance enabled="true"/>
    <single_instance/>
    <dependency name="network" grouping="require_all" restart_on="none" type="service">
        <service_fmri value="svc:/network/initial"/>
    </dependency>
    <exec_method type="method" name="start" exec="{METHOD} start" timeout_seconds="60"/>
    <exec_method type="method" name="stop" exec=":true" timeout_seconds="60"/>
    <property_group name="startd" type="framework">
        <propval name="duration" type="astring" value="transient"/>
    </property_group>
    <template>
        <common_name>
            <loctext xml:lang="C">range of ephemeral ports</loctext>
        </common_name>
    </template>
</service>
</service_bundle>
"#
    )
}
