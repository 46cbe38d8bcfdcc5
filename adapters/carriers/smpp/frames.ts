// Cuts a stream of octets into PDUs by their command_length; what lies in them is not looked at.

const headerOctets = 16;
// The largest parameter there is, with the rest of a PDU.
const frameOctetsMax = 70 * 1024;

/** @returns takes octets as they come and answers the PDUs now whole; undefined once the stream can't be followed */
export function createFrames(): (octets: Buffer) => Buffer[] | undefined {
	let held: Buffer[] = [];
	let heldOctets = 0;
	let wanted = 4;

	return (octets) => {
		held.push(octets);
		heldOctets += octets.length;
		// Joined only when there is a whole PDU: a peer that sends octet by octet costs no more than one that does not.
		if (heldOctets < wanted) return [];
		let rest = Buffer.concat(held);
		const frames: Buffer[] = [];
		wanted = 4;
		while (rest.length >= 4) {
			const length = rest.readUInt32BE(0);
			if (length < headerOctets || length > frameOctetsMax) return undefined;
			wanted = length;
			if (rest.length < length) break;
			frames.push(rest.subarray(0, length));
			rest = rest.subarray(length);
			wanted = 4;
		}
		held = [rest];
		heldOctets = rest.length;
		return frames;
	};
}
