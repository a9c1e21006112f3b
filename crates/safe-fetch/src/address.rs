//! Which addresses a stranger may send the program to: those of the public internet.
//!
//! The ranges are those of the IANA special-purpose registries (RFC 6890 and its updates) plus
//! every form in which IPv4 hides inside IPv6. What is not known to be public is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `Err` names the range of an address that is not on the public internet.
pub(super) fn check_public(address: IpAddr) -> Result<(), &'static str> {
    match address {
        IpAddr::V4(address) => check_v4(address),
        IpAddr::V6(address) => check_v6(address),
    }
}

fn check_v4(address: Ipv4Addr) -> Result<(), &'static str> {
    const REFUSED: [([u8; 4], u32, &str); 15] = [
        ([0, 0, 0, 0], 8, "this-network"),
        ([10, 0, 0, 0], 8, "private"),
        ([100, 64, 0, 0], 10, "carrier-grade NAT"),
        ([127, 0, 0, 0], 8, "loopback"),
        ([169, 254, 0, 0], 16, "link-local"),
        ([172, 16, 0, 0], 12, "private"),
        ([192, 0, 0, 0], 24, "protocol assignment"),
        ([192, 0, 2, 0], 24, "documentation"),
        ([192, 88, 99, 0], 24, "6to4 relay"),
        ([192, 168, 0, 0], 16, "private"),
        ([198, 18, 0, 0], 15, "benchmarking"),
        ([198, 51, 100, 0], 24, "documentation"),
        ([203, 0, 113, 0], 24, "documentation"),
        ([224, 0, 0, 0], 4, "multicast"),
        ([240, 0, 0, 0], 4, "reserved"),
    ];
    for (network, prefix, name) in REFUSED {
        let network = u32::from_be_bytes(network);
        if (address.to_bits() ^ network) >> (32 - prefix) == 0 {
            return Err(name);
        }
    }
    Ok(())
}

fn check_v6(address: Ipv6Addr) -> Result<(), &'static str> {
    const REFUSED: [(u128, u32, &str); 13] = [
        (0, 128, "unspecified"),
        (1, 128, "loopback"),
        (0, 96, "IPv4-compatible"),
        (0x0064_ff9b_0001 << 80, 48, "local NAT64"),
        (0x0100 << 112, 64, "discard"),
        (0x2001_0000 << 96, 32, "Teredo"),
        (0x2001_0000 << 96, 23, "protocol assignment"),
        (0x2001_0db8 << 96, 32, "documentation"),
        (0x3fff << 112, 20, "documentation"),
        (0xfc00 << 112, 7, "unique local"),
        (0xfe80 << 112, 10, "link-local"),
        (0xfec0 << 112, 10, "site-local"),
        (0xff00 << 112, 8, "multicast"),
    ];
    const MAPPED: u128 = 0xffff;
    const NAT64: u128 = 0x0064_ff9b << 64;
    let bits = address.to_bits();
    let low = Ipv4Addr::from_bits(bits as u32);
    // In these two forms the connection goes to the IPv4 address, which alone decides.
    if bits >> 32 == MAPPED || bits >> 32 == NAT64 {
        return check_v4(low);
    }
    for (network, prefix, name) in REFUSED {
        if (bits ^ network) >> (128 - prefix) == 0 {
            return Err(name);
        }
    }
    if bits >> 125 != 0b001 {
        return Err("not global unicast");
    }
    // 6to4 (RFC 3056) tunnels to the IPv4 address in bits 16 to 48, ISATAP (RFC 5214) to the one
    // in the last 32 bits, behind an interface identifier that gives it away, whatever its two bits
    // for "universal" and "group" say.
    if bits >> 112 == 0x2002 {
        check_v4(Ipv4Addr::from_bits((bits >> 80) as u32))?;
    }
    if (bits >> 32) as u32 & 0xFCFF_FFFF == 0x0000_5EFE {
        check_v4(low)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_refused_at_both_of_its_ends() {
        let ranges = [
            ("0.0.0.0", "0.255.255.255", "this-network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocol assignment"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "6to4 relay"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.255", "reserved"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::255.255.255.255", "IPv4-compatible"),
            (
                "64:ff9b:1::",
                "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                "local NAT64",
            ),
            ("100::", "100::ffff:ffff:ffff:ffff", "discard"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
            ("2001:1::", "2001:1ff:ffff::", "protocol assignment"),
            ("2001:db8::", "2001:db8:ffff::ffff", "documentation"),
            ("3fff::", "3fff:fff:ffff::ffff", "documentation"),
            ("fc00::", "fdff:ffff::ffff", "unique local"),
            ("fe80::", "febf:ffff::ffff", "link-local"),
            ("fec0::", "feff:ffff::ffff", "site-local"),
            ("ff00::", "ffff:ffff::ffff", "multicast"),
            ("64:ff9b:2::", "1fff::", "not global unicast"),
            ("4000::", "5f00::1", "not global unicast"),
        ];
        for (first, last, name) in ranges {
            for text in [first, last] {
                let address: IpAddr = text.parse().unwrap();
                assert_eq!(check_public(address), Err(name), "{text}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_inside_ipv6_is_judged_as_itself() {
        let embedded = [
            ("::ffff:127.0.0.1", Err("loopback")),
            ("::ffff:10.1.2.3", Err("private")),
            ("::ffff:169.254.169.254", Err("link-local")),
            ("::ffff:8.8.8.8", Ok(())),
            ("::127.0.0.1", Err("IPv4-compatible")),
            ("::ffff:0:127.0.0.1", Err("not global unicast")),
            ("64:ff9b::127.0.0.1", Err("loopback")),
            ("64:ff9b::192.168.0.1", Err("private")),
            ("64:ff9b::8.8.8.8", Ok(())),
            ("64:ff9b:1::8.8.8.8", Err("local NAT64")),
            ("2002:7f00:1::", Err("loopback")),
            ("2002:a9fe:a9fe::1", Err("link-local")),
            ("2002:808:808::1", Ok(())),
            ("2001:0:808:808::1", Err("Teredo")),
            ("2606:4700::5efe:10.0.0.1", Err("private")),
            ("2606:4700::200:5efe:127.0.0.1", Err("loopback")),
            ("2606:4700::100:5efe:10.0.0.1", Err("private")),
            ("2606:4700::300:5efe:127.0.0.1", Err("loopback")),
            ("2606:4700::5efe:8.8.8.8", Ok(())),
        ];
        for (text, verdict) in embedded {
            assert_eq!(check_public(text.parse().unwrap()), verdict, "{text}");
        }
    }

    #[test]
    fn neighbours_of_the_special_ranges_are_public() {
        let public = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "3ffe:ffff::1",
            "3fff:1000::1",
        ];
        for text in public {
            assert_eq!(check_public(text.parse().unwrap()), Ok(()), "{text}");
        }
    }
}
