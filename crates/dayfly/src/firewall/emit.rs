//! `dayfly firewall emit`: rules that open what is used, for any firewall.

use std::process::ExitCode;

use dayfly_insight::Settings;
use dayfly_insight::firewall::writers::Opening;
use dayfly_insight::firewall::writers::emit::{Helper, Wish, emit};
use dayfly_linux::settings;
use dayfly_ports::{PortSet, Protocol};

use super::args::EmitArgs;
use crate::args::ColorChoice;
use crate::error::Failure;
use crate::render;

/// Prints. Changes nothing.
pub(super) fn run(args: &EmitArgs) -> Result<ExitCode, Failure> {
    let text = emit(args.firewall.dialect(), &wish(args)).map_err(|refusal| {
        Failure::new(refusal).hint("leave --helper out, and a range is opened")
    })?;
    render::print_text(&text, ColorChoice::Never)?;
    Ok(ExitCode::SUCCESS)
}

fn wish(args: &EmitArgs) -> Wish {
    let settings = settings::read().unwrap_or_else(|_| Settings::linux_defaults());
    let range = |protocol| match &args.range {
        Some(range) => range.clone(),
        None => Box::new(settings.usable(protocol)),
    };
    let open = |protocol, ports| Opening { protocol, source_ports: None, ports };
    let mut wish = Wish { chain: args.chain.clone(), ..Wish::default() };
    if args.ftp_active {
        if args.helper {
            wish.helpers.push(Helper::FtpClient);
        } else {
            let source_ports = args.from_port_20.then(|| Box::new(just(20)));
            wish.openings
                .push(Opening { source_ports, ..open(Protocol::Tcp, range(Protocol::Tcp)) });
        }
    }
    if args.ftp_passive {
        wish.openings.push(open(Protocol::Tcp, Box::new(just(21))));
        if args.helper {
            wish.helpers.push(Helper::FtpServer);
        } else {
            wish.openings.push(open(Protocol::Tcp, range(Protocol::Tcp)));
        }
    }
    if args.tftp {
        if args.helper {
            wish.helpers.push(Helper::TftpClient);
        } else {
            wish.openings.push(open(Protocol::Udp, range(Protocol::Udp)));
        }
    }
    if !(args.ftp_active || args.ftp_passive || args.tftp) {
        let protocols = if args.protocol.is_empty() {
            &[Protocol::Tcp, Protocol::Udp][..]
        } else {
            args.protocol.as_slice()
        };
        wish.openings.extend(protocols.iter().map(|&protocol| open(protocol, range(protocol))));
    }
    wish
}

fn just(port: u16) -> PortSet {
    let mut ports = PortSet::EMPTY;
    ports.insert(port.into());
    ports
}
