//! What must hold of any URL and of any addresses that a name may have. Compiled for tests, which
//! run it over the seeds kept in `crates/lamina/fuzz`, and for the fuzz target. No network: names are answered
//! from the input. What is public is judged by a table of its own, written as the registries
//! write it, so that a slip in the product's arithmetic shows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use ipnet::IpNet;
use reqwest::dns::Resolve as _;
use url::{Host, Url};

use super::address::check_public;
use super::policy::{FetchPolicy, SourcePrefix};
use super::resolver::{CheckedResolver, Lookup, Reach};

/// A byte of settings, a line with a URL, a line with a source prefix, then addresses: 16 bytes
/// each, read as IPv6 and, by their last four bytes, as IPv4.
pub fn url(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (text, prefix, addresses) = (line(), line(), line());
    let prefix = String::from_utf8_lossy(prefix).parse::<SourcePrefix>().ok();
    let nets: &[&str] = match choice >> 1 & 3 {
        0 | 1 => &[],
        2 => &["127.0.0.0/8", "::1/128"],
        _ => &["10.0.0.0/9", "fd00::/8"],
    };
    let policy = FetchPolicy {
        allow_http: choice & 1 > 0,
        allow_nets: nets.iter().map(|net| net.parse().expect("a net")).collect(),
        allow_prefixes: prefix.into_iter().collect(),
        ..FetchPolicy::default()
    };
    if let Ok(url) = Url::parse(&String::from_utf8_lossy(text)) {
        match policy.check_url(&url) {
            Ok(()) => passed(&policy, &url),
            Err(refusal) => keeps_quiet(&url, &refusal.to_string()),
        }
    }
    let addresses: Vec<IpAddr> = addresses
        .as_chunks::<16>()
        .0
        .iter()
        .flat_map(|bytes| {
            let [.., a, b, c, d] = *bytes;
            [
                IpAddr::V6(Ipv6Addr::from(*bytes)),
                IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            ]
        })
        .collect();
    for address in &addresses {
        let verdict = check_public(*address);
        assert_eq!(
            verdict.is_ok(),
            is_public(*address),
            "{address}: {verdict:?}"
        );
    }
    let policy = Arc::new(policy);
    for reach in [Reach::Public, Reach::AllowedOnly] {
        resolved(&policy, reach, &addresses);
    }
}

/// A URL that passes is for the open internet, or for what a setting names.
fn passed(policy: &FetchPolicy, url: &Url) {
    assert!(url.scheme() == "https" || policy.allow_http && url.scheme() == "http");
    assert!(!url.authority().contains('@'), "{url} has a user");
    let usual_port = matches!(url.port(), None | Some(80 | 443));
    match url.host().expect("a URL that passes has a host") {
        Host::Ipv4(address) => literal(policy, address.into(), usual_port),
        Host::Ipv6(address) => literal(policy, address.into(), usual_port),
        Host::Domain(name) => {
            // Resolvers take names that end in a number for addresses, in spellings of their own.
            let name = name.strip_suffix('.').unwrap_or(name);
            let last = name.rsplit('.').next().unwrap_or_default();
            let hex = last.strip_prefix("0x").unwrap_or("g");
            assert!(!last.is_empty(), "{url} has no name");
            assert!(!last.bytes().all(|byte| byte.is_ascii_digit()), "{url}");
            assert!(!hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{url}");
            assert!(usual_port || !policy.allow_nets.is_empty(), "{url}");
            if name == "localhost" || name.ends_with(".localhost") {
                let loopback = IpAddr::from([127, 0, 0, 1]);
                assert!(is_named(policy, loopback), "{url}");
            }
        }
    }
    for SourcePrefix(prefix) in &policy.allow_prefixes {
        assert_eq!(prefix.origin(), url.origin());
        assert!(
            url.path().starts_with(prefix.path()),
            "{url} under {prefix}"
        );
        assert!(!url.path().split('/').any(|part| part == ".."), "{url}");
    }
}

fn literal(policy: &FetchPolicy, address: IpAddr, usual_port: bool) {
    let named = is_named(policy, address);
    assert!(
        named || usual_port && is_public(address),
        "{address} passed"
    );
}

/// Neither user, password, query nor fragment is in a sentence.
fn keeps_quiet(url: &Url, sentence: &str) {
    let shown = sentence.split(" was refused").next().unwrap_or_default();
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let _ = (bare.set_username(""), bare.set_password(None));
    let shown = shown.trim_end_matches('…');
    let plain = matches!(url.scheme(), "http" | "https");
    assert!(!plain || bare.as_str().starts_with(shown), "{sentence}");
}

/// Of a name's addresses, a connection gets those that it may use and no others.
fn resolved(policy: &Arc<FetchPolicy>, reach: Reach, addresses: &[IpAddr]) {
    let found = addresses.to_vec();
    let lookup: Lookup = Arc::new(move |_| Box::pin(std::future::ready(Ok(found.clone()))));
    let resolver = CheckedResolver {
        policy: Arc::clone(policy),
        reach,
        lookup,
    };
    let name = "a.example".parse().expect("a name");
    let mut answer = resolver.resolve(name);
    let asked = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(answer) = asked else {
        panic!("the name is not answered at once");
    };
    let used: Vec<IpAddr> = answer.map_or_else(
        |_| Vec::new(),
        |addresses| addresses.map(|address| address.ip()).collect(),
    );
    let may = |address: &&IpAddr| {
        is_named(policy, **address) || reach == Reach::Public && is_public(**address)
    };
    let expected: Vec<IpAddr> = addresses.iter().take(16).filter(may).copied().collect();
    assert_eq!(used, expected);
}

fn is_named(policy: &FetchPolicy, address: IpAddr) -> bool {
    let inner = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    let mut nets = policy.allow_nets.iter();
    nets.any(|net| net.contains(&address) || inner.is_some_and(|inner| net.contains(&inner)))
}

/// The special-purpose registries of IANA, and what is not assigned.
static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 \
     192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 \
     224.0.0.0/4 240.0.0.0/4 ::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 3fff::/20"
        .split(' ')
        .map(|net| net.parse().expect("a net"))
        .collect()
});

fn is_public(address: IpAddr) -> bool {
    let IpAddr::V6(v6) = address else {
        return !SPECIAL.iter().any(|net| net.contains(&address));
    };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::from([a, b, c, d])
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public(v4(high, low))
        }
        [first, second, third, _, fifth, sixth, high, low] => {
            let isatap = matches!((fifth, sixth), (0 | 0x100 | 0x200 | 0x300, 0x5efe));
            !SPECIAL.iter().any(|net| net.contains(&address))
                && (first != 0x2002 || is_public(v4(second, third)))
                && (!isatap || is_public(v4(high, low)))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_the_url_target_hold() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lamina/fuzz/seeds/urls");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            super::url(&std::fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 2, "there are {count} seeds");
    }
}
