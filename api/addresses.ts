// Where a caller comes from: its network, and whether that is among those that are allowed.

import ipaddr from "ipaddr.js";

// A machine has one IPv4 address, and the 64 lower bits of an IPv6 one as it likes.
const networkBits = { ipv4: 32, ipv6: 64 } as const;

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
	if (range.includes("/")) return ipaddr.parseCIDR(range);
	const address = ipaddr.parse(range);
	return [address, address.toByteArray().length * 8];
}

/** The network that an address belongs to, as one text however the address was written. */
export function networkOf(address: string): string {
	if (!ipaddr.isValid(address)) return "unknown";
	const from = ipaddr.process(address);
	const bytes = from.toByteArray().slice(0, networkBits[from.kind()] / 8);
	return `${from.kind()}:${Buffer.from(bytes).toString("hex")}`;
}
