// Where a caller comes from: its network, and whether that is among those that are allowed.

import ipaddr from "ipaddr.js";

// A machine has one IPv4 address, and the 64 lower bits of an IPv6 one as it likes; a site is given up to 65,536 such networks.
const networkBits = { ipv4: 32, ipv6: 64 } as const;
const siteBits = { ipv4: 32, ipv6: 48 } as const;
// Before an IPv4 address that is written in IPv6, RFC 4291 2.5.5.2.
const mappedBits = 96;

/** Whether an address lies within one of the ranges (CIDR) or is one of them; one that can't be read lies in none. */
export function isWithin(ranges: readonly string[], address: string): boolean {
	if (!ipaddr.isValid(address)) return false;
	const from = ipaddr.process(address);
	return ranges.some((range) => {
		const [network, bits] = readRange(range);
		return network.kind() === from.kind() && from.match([network, bits] as never);
	});
}

function readRange(range: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
	const [address, bits] = range.includes("/") ? ipaddr.parseCIDR(range) : [ipaddr.parse(range), undefined];
	const ofAll = bits ?? address.toByteArray().length * 8;
	// An IPv4 network may be written in IPv6, as its addresses may.
	const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && ofAll >= mappedBits;
	return isMapped ? [address.toIPv4Address(), ofAll - mappedBits] : [address, ofAll];
}

/** The network that an address belongs to, as one text however the address was written. */
export function networkOf(address: string): string {
	return prefixOf(address, networkBits);
}

/** All that one stranger may have of the networks around an address: by it are counted those who can take another one each time. */
export function siteOf(address: string): string {
	return prefixOf(address, siteBits);
}

function prefixOf(address: string, bits: typeof networkBits | typeof siteBits): string {
	if (!ipaddr.isValid(address)) return "unknown";
	const from = ipaddr.process(address);
	const bytes = from.toByteArray().slice(0, bits[from.kind()] / 8);
	return `${from.kind()}:${Buffer.from(bytes).toString("hex")}`;
}
