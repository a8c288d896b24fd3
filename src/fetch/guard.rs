//! The egress guard: which URLs and addresses a request may leave for. Crawler, feeds and webhooks share it, so that
//! nobody can make Earful talk to the network it stands in. Unaware of what is fetched or sent.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Addresses of one name that are looked at; a name with more is refused.
const ADDRESSES_MAX: usize = 64;
/// The only ports below 1024 that speak HTTP.
const LOW_PORTS: [u16; 2] = [80, 443];
/// Ports above 1024 of other services, which must not be fed HTTP: NFS, SIP, X11, IRC, databases and caches.
const FOREIGN_PORTS: [u16; 21] = [
    1433, 1521, 1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6679, 6697,
    10080, 11211,
];

/// IPv4 networks that are not the public Internet.
const FORBIDDEN_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// IPv6 networks that are not the public Internet, or that wrap an IPv4 address in one: unspecified, loopback and
/// IPv4-compatible, NAT64, discard, protocol assignments with Teredo, documentation, 6to4, segment routing, unique
/// local, link-local, site-local, multicast.
const FORBIDDEN_V6: [([u16; 8], u8); 13] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 96),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];

/// Addresses in CIDR form: `10.1.0.0/16`, `::1/128`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("what stands before the slash is no IP address")]
    Address,
    #[error("what stands after the slash is no number of bits that the address has")]
    Bits,
}

/// Why a request may not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("only http and https are spoken, not {0}")]
    Scheme(String),
    #[error("the URL names no host")]
    NoHost,
    #[error("the URL holds a user name or a password")]
    UserInfo,
    #[error("port {0} belongs to another service")]
    Port(u16),
    #[error("{0} is not a public address, and no allowed network holds it")]
    Address(IpAddr),
    #[error("the name has more than {ADDRESSES_MAX} addresses")]
    Crowd,
}

/// Decides which requests may leave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Arc<[Network]>,
    /// This machine's own addresses, as they were at the start.
    own: Arc<[IpAddr]>,
    names: Names,
}

/// Who turns names into addresses.
#[derive(Clone, Debug)]
enum Names {
    System,
    #[cfg(test)]
    Table(Arc<std::collections::HashMap<String, Vec<IpAddr>>>),
}

impl Guard {
    /// `allow` are networks that may be reached although they are private.
    pub fn new(allow: Vec<Network>) -> Self {
        Self { allow: allow.into(), own: own_addresses().into(), names: Names::System }
    }

    /// Judges everything about a URL but the addresses behind a name, which `resolver` judges. To be asked before
    /// every request and every redirect: HTTP clients do not resolve literal addresses.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let address = match url.host().ok_or(Refused::NoHost)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(name) => is_localhost(name).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        if let Some(address) = address {
            self.check_address(address)?;
            if self.is_allowed(address) {
                return Ok(());
            }
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let is_foreign = (port < 1024 && !LOW_PORTS.contains(&port)) || FOREIGN_PORTS.contains(&port);
        if is_foreign { Err(Refused::Port(port)) } else { Ok(()) }
    }

    /// Judges one address.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        if self.is_allowed(address) || (is_public(address) && !self.own.contains(&address)) {
            Ok(())
        } else {
            Err(Refused::Address(address))
        }
    }

    /// Resolves names for an HTTP client: once per connection, to exactly the addresses that were judged. A name with
    /// one forbidden address is refused whole.
    pub fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::new(self.clone())
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.iter().any(|network| network.contains(address))
    }

    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found: Vec<SocketAddr> = match &self.names {
            Names::System => tokio::net::lookup_host((name, 0)).await?.take(ADDRESSES_MAX + 1).collect(),
            #[cfg(test)]
            Names::Table(table) => {
                table.get(name).into_iter().flatten().map(|&address| SocketAddr::new(address, 0)).collect()
            }
        };
        if found.len() > ADDRESSES_MAX {
            return Err(Refused::Crowd.into());
        }
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
        }
        for address in &found {
            self.check_address(address.ip())?;
        }
        Ok(found)
    }

    /// A guard that knows names from a table.
    #[cfg(test)]
    pub fn with_names(allow: Vec<Network>, names: &[(&str, &[&str])]) -> Self {
        let table = names.iter().map(|(name, addresses)| {
            (name.to_string(), addresses.iter().map(|address| address.parse().expect("an address")).collect())
        });
        Self { allow: allow.into(), own: Arc::new([]), names: Names::Table(Arc::new(table.collect())) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same_bits(u128::from(base.to_bits()) << 96, u128::from(address.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same_bits(base.to_bits(), address.to_bits(), self.bits),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| NetworkError::Address)?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| NetworkError::Bits)?;
        if bits <= width { Ok(Self { base, bits }) } else { Err(NetworkError::Bits) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

fn same_bits(a: u128, b: u128, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !FORBIDDEN_V4
            .iter()
            .any(|&(base, bits)| Network { base: Ipv4Addr::from(base).into(), bits }.contains(address)),
        IpAddr::V6(_) => !FORBIDDEN_V6
            .iter()
            .any(|&(base, bits)| Network { base: Ipv6Addr::from(base).into(), bits }.contains(address)),
    }
}

/// This machine's addresses as Linux lists them; none where it does not.
fn own_addresses() -> Vec<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    own_v4(&v4).map(IpAddr::V4).chain(own_v6(&v6).map(IpAddr::V6)).collect()
}

/// A local address is a leaf of the trie followed by the line `/32 host LOCAL`.
fn own_v4(trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines = trie.lines().zip(trie.lines().skip(1));
    lines
        .filter(|(_, below)| below.contains("/32 host LOCAL"))
        .filter_map(|(leaf, _)| leaf.rsplit(' ').next()?.parse().ok())
}

/// Each line starts with the address as 32 hexadecimal digits.
fn own_v6(table: &str) -> impl Iterator<Item = Ipv6Addr> {
    table.lines().filter_map(|line| u128::from_str_radix(line.get(..32)?, 16).ok()).map(Ipv6Addr::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to write an address that is not public.
    const PRIVATE: &[&str] = &[
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://10.0.0.1/",
        "http://10.255.255.255/",
        "http://100.64.0.1/",
        "http://100.127.255.254/",
        "http://127.0.0.1/",
        "http://127.255.255.255/",
        "http://169.254.169.254/latest/meta-data/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.0.0.8/",
        "http://192.0.2.1/",
        "http://192.88.99.1/",
        "http://192.168.1.1/",
        "http://198.18.0.1/",
        "http://198.19.255.255/",
        "http://198.51.100.7/",
        "http://203.0.113.7/",
        "http://224.0.0.1/",
        "http://239.255.255.255/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        // Spellings of IPv4 that parsers disagree on.
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://0/",
        "http://%31%32%37.0.0.1/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::127.0.0.1]/",
        "http://[::8.8.8.8]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fdff::1]/",
        "http://[fe80::1]/",
        "http://[febf::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[3fff:fff::1]/",
        "http://[100::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:808:808::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::8.8.8.8]/",
        "http://[64:ff9b:1::1]/",
        "http://[5f00::1]/",
        "http://[2001::1]/",
        "http://[2001:10::1]/",
        "http://localhost/",
        "http://LOCALHOST:80/",
        "http://localhost./",
        "http://a.localhost/",
        "https://127.0.0.1:443/",
    ];

    fn guard() -> Guard {
        Guard::with_names(Vec::new(), &[])
    }

    fn checked(url: &str) -> Result<(), Refused> {
        guard().check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn no_url_leads_to_a_private_address() {
        assert!(PRIVATE.len() >= 60);
        for url in PRIVATE {
            assert!(matches!(checked(url), Err(Refused::Address(_))), "{url}: {:?}", checked(url));
        }
    }

    #[test]
    fn only_the_web_is_spoken_and_only_on_its_ports() {
        for (url, refused) in [
            ("ftp://example.com/", Refused::Scheme("ftp".to_owned())),
            ("file:///etc/passwd", Refused::Scheme("file".to_owned())),
            ("gopher://example.com/", Refused::Scheme("gopher".to_owned())),
            ("data:text/plain,x", Refused::Scheme("data".to_owned())),
            ("unix:/run/x.sock", Refused::Scheme("unix".to_owned())),
            ("http://user@example.com/", Refused::UserInfo),
            ("http://:pw@example.com/", Refused::UserInfo),
            ("http://example.com:22/", Refused::Port(22)),
            ("http://example.com:25/", Refused::Port(25)),
            ("http://8.8.8.8:53/", Refused::Port(53)),
            ("https://example.com:6379/", Refused::Port(6379)),
            ("http://example.com:0/", Refused::Port(0)),
        ] {
            assert_eq!(checked(url), Err(refused), "{url}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for url in [
            "http://example.com/",
            "https://example.com:8443/",
            "http://8.8.8.8/",
            "http://1.1.1.1:8080/",
            "http://9.255.255.255/",
            "http://11.0.0.1/",
            "http://100.63.255.255/",
            "http://100.128.0.1/",
            "http://172.15.255.255/",
            "http://172.32.0.1/",
            "http://192.167.1.1/",
            "http://198.17.0.1/",
            "http://198.20.0.1/",
            "http://223.255.255.255/",
            "http://[2606:4700::1111]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[2001:4860:4860::8888]/",
            "http://[2a00::1]/",
        ] {
            assert_eq!(checked(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn an_allowed_network_opens_itself_and_nothing_else() {
        let guard = Guard::with_names(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], &[]);
        let check = |url: &str| guard.check_url(&Url::parse(url).unwrap());
        for url in
            ["http://127.0.0.1:18080/", "http://[::ffff:127.0.0.1]:9/", "http://localhost:6379/", "http://[fd00::1]/"]
        {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/"] {
            assert!(check(url).is_err(), "{url}");
        }
        assert_eq!(check("http://u@127.0.0.1/"), Err(Refused::UserInfo));
    }

    #[test]
    fn networks_are_read_and_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::1/128", "fd00::/8"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1".parse::<Network>().unwrap().to_string(), "127.0.0.1/32");
        assert_eq!("10.0.0/8".parse::<Network>(), Err(NetworkError::Address));
        assert_eq!("localhost".parse::<Network>(), Err(NetworkError::Address));
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(NetworkError::Bits));
        assert_eq!("::/x".parse::<Network>(), Err(NetworkError::Bits));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_with_one_forbidden_address_is_refused_whole() {
        let guard = Guard::with_names(
            Vec::new(),
            &[
                ("good.example", &["8.8.8.8", "2606:4700::1111"]),
                ("mixed.example", &["8.8.8.8", "10.0.0.1"]),
                ("mapped.example", &["::ffff:127.0.0.1"]),
                ("meta.example", &["169.254.169.254"]),
                ("none.example", &[]),
            ],
        );
        assert_eq!(guard.addresses("good.example").await.unwrap().len(), 2);
        for name in ["mixed.example", "mapped.example", "meta.example"] {
            let error = guard.addresses(name).await.unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(Refused::Address(_))), "{name}");
        }
        assert!(guard.addresses("none.example").await.is_err());
        let resolved = guard.resolver().resolve("good.example".parse().unwrap()).await.unwrap();
        assert_eq!(resolved.count(), 2);
    }

    #[tokio::test]
    async fn the_systems_names_are_judged_too() {
        let error = Guard::new(Vec::new()).addresses("localhost").await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Refused::Address(_))), "{error}");
    }

    #[test]
    fn the_machines_own_public_addresses_are_refused() {
        let trie = "Local:\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 45.33.32.1\n        /32 host LOCAL\n     |-- 45.33.32.255\n        /32 link BROADCAST\n";
        let own: Vec<Ipv4Addr> = own_v4(trie).collect();
        assert_eq!(own, [Ipv4Addr::LOCALHOST, Ipv4Addr::new(45, 33, 32, 1)]);
        let table = "26064700000000000000000000001111 02 40 00 80     eth0\nbad\n";
        assert_eq!(own_v6(table).collect::<Vec<_>>(), ["2606:4700::1111".parse::<Ipv6Addr>().unwrap()]);
        let guard = Guard { own: Arc::new([IpAddr::V4(own[1])]), ..guard() };
        assert!(guard.check_address(IpAddr::V4(own[1])).is_err());
    }
}
