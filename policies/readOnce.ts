// Texts of packs are asked for again and again: what was made of one is kept, as far as there is room.

import { limits } from "../domain/limits.ts";

/** What was made of a text before, or else is made now. What was not asked for the longest goes first. */
export function readOnce<Read>(known: Map<string, Read>, name: string, read: () => Read): Read {
	const made = known.get(name) ?? read();
	known.delete(name);
	known.set(name, made);
	const [longestUnasked] = known.keys();
	if (longestUnasked !== undefined && known.size > limits.packsReadMax) known.delete(longestUnasked);
	return made;
}
