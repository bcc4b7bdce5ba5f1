//! What stands between a host and its destinations and has ports of its own.

use super::Supply;

/// A translator whose limits are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translator {
    /// Azure NAT Gateway.
    AzureNat,
    /// Azure Load Balancer, outbound rules: frontend ports divided among instances.
    AzureLb,
    /// AWS NAT Gateway.
    AwsNat,
    /// Google Cloud NAT: ports divided among virtual machines.
    GcpNat,
    /// Linux netfilter: masquerade and SNAT.
    Netfilter,
    /// Carrier-grade NAT with a fixed block of ports for each subscriber (RFC 7422).
    Cgn,
}

impl Translator {
    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Translator::AzureNat => "Azure NAT Gateway",
            Translator::AzureLb => "Azure Load Balancer",
            Translator::AwsNat => "AWS NAT Gateway",
            Translator::GcpNat => "Google Cloud NAT",
            Translator::Netfilter => "netfilter",
            Translator::Cgn => "carrier-grade NAT",
        }
    }

    /// Ports of one address.
    ///
    /// Azure NAT Gateway and Google Cloud NAT use 1024-65535; Azure Load Balancer hands out 64,000 of
    /// them; AWS documents 55,000 for each destination; netfilter keeps a port above 1023 above it.
    #[must_use]
    pub const fn ports(self) -> u32 {
        match self {
            Translator::AzureLb => 64_000,
            Translator::AwsNat => 55_000,
            Translator::AzureNat | Translator::GcpNat | Translator::Netfilter | Translator::Cgn => {
                64_512
            }
        }
    }

    /// How many addresses one can have, where that is limited.
    #[must_use]
    pub const fn most_addresses(self) -> Option<u32> {
        match self {
            Translator::AzureNat => Some(16),
            Translator::AwsNat => Some(8),
            _ => None,
        }
    }

    /// Seconds that a port is kept after its connection was closed in order, by default.
    #[must_use]
    pub const fn hold_seconds(self) -> f64 {
        match self {
            Translator::AzureNat => 65.0,
            // RFC 5382 section 5: the least for a connection that is closing is four minutes.
            Translator::AzureLb | Translator::Cgn => 240.0,
            // Not published; a TIME_WAIT of the common length.
            Translator::AwsNat => 60.0,
            // nf_conntrack_tcp_timeout_time_wait; Cloud NAT's timeout of the same name.
            Translator::GcpNat | Translator::Netfilter => 120.0,
        }
    }

    /// Where the hold comes from, and what else to know about it.
    #[must_use]
    pub const fn hold_note(self) -> &'static str {
        match self {
            Translator::AzureNat => "its timer for ports of connections that ended with FIN",
            Translator::AzureLb => "what it waits after FIN; 15 s after RST",
            Translator::AwsNat => "AWS does not publish how long; give --hold if you measured it",
            Translator::GcpNat => {
                "its TIME_WAIT timeout; 30 s for gateways made since October 2026"
            }
            Translator::Netfilter => "nf_conntrack_tcp_timeout_time_wait",
            Translator::Cgn => "the least that RFC 5382 asks for",
        }
    }

    /// Its ports for so many addresses and shares (instances, virtual machines, subscribers).
    #[must_use]
    pub const fn supply(self, addresses: u32, shares: u32) -> Supply {
        Supply {
            ports: self.ports(),
            addresses,
            shares: if self.divides() { shares } else { 1 },
            per_destination: !matches!(self, Translator::Cgn),
            most_addresses: self.most_addresses(),
        }
    }

    /// Whether its ports are divided into fixed shares.
    #[must_use]
    pub const fn divides(self) -> bool {
        matches!(self, Translator::AzureLb | Translator::GcpNat | Translator::Cgn)
    }

    /// The ports that each instance gets if nothing else was said, for so many frontend addresses:
    /// Azure Load Balancer's table, at most 1024; Cloud NAT's 64.
    #[must_use]
    pub fn default_share(self, addresses: u32, shares: u32) -> Option<u32> {
        match self {
            Translator::AzureLb => {
                let of_one = match shares {
                    0..=50 => 1024,
                    51..=100 => 512,
                    101..=200 => 256,
                    201..=400 => 128,
                    401..=800 => 64,
                    _ => 32,
                };
                Some((of_one * addresses).min(1024))
            }
            Translator::GcpNat => Some(64),
            _ => None,
        }
    }
}

/// What Cloud NAT's dynamic allocation gives at least for so many: a power of two from 32 on.
#[must_use]
pub fn dynamic_block(ports: u64) -> u64 {
    ports.max(32).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let azure = Translator::AzureLb;
        assert_eq!(azure.supply(1, 100).capacity(), 640);
        assert_eq!(azure.default_share(1, 100), Some(512));
        assert_eq!(azure.default_share(3, 100), Some(1024));
        assert_eq!(azure.default_share(1, 1000), Some(32));
        assert_eq!(Translator::AwsNat.supply(8, 5).capacity(), 440_000);
        assert_eq!(Translator::GcpNat.supply(1, 63).capacity(), 1024);
        assert_eq!((dynamic_block(1), dynamic_block(65)), (32, 128));
        // The formula of deterministic translators: (65536 - 1024) x addresses / subscribers.
        assert_eq!(Translator::Cgn.supply(4, 1000).capacity(), (65536 - 1024) * 4 / 1000);
    }
}
