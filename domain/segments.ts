// How many SMS a text becomes: GSM 03.38 seven-bit alphabet or UCS-2, and the greedy split into segments.

import { gsm7Basic, gsm7Escape, gsm7Extension } from "./gsm7.ts";

export type Segmentation = {
	encoding: "gsm7" | "ucs2";
	/** SMS that the text is carried in; an empty text is one empty SMS. */
	segments: number;
	/** Septets (an escaped character is two) or UTF-16 code units of the text, headers not counted. */
	units: number;
};

/** Units of one SMS alone, and of each SMS of several, where a six-byte header takes room. 3GPP TS 23.040, 9.2.3.24. */
const capacity = { gsm7: { alone: 160, joined: 153 }, ucs2: { alone: 70, joined: 67 } };

const septetsOf = new Map([
	...gsm7Basic.flatMap((c, code): [string, number][] => (code === gsm7Escape ? [] : [[c, 1]])),
	...Object.keys(gsm7Extension).map((c): [string, number] => [c, 2]),
]);

/** Encoding, segments and units of a text. One character outside GSM 03.38 makes the whole text UCS-2. */
export function segmentText(text: string): Segmentation {
	const { encoding, widths, units } = measure(text);
	const segments = units <= capacity[encoding].alone ? 1 : findCuts(widths, capacity[encoding].joined).length;
	return { encoding, segments, units };
}

/** The text of each SMS that a text is carried in: as many as `segmentText` counts. */
export function splitText(text: string): { encoding: Segmentation["encoding"]; parts: string[] } {
	const { encoding, widths, units } = measure(text);
	if (units <= capacity[encoding].alone) return { encoding, parts: [text] };
	const characters = [...text];
	const cuts = findCuts(widths, capacity[encoding].joined);
	return { encoding, parts: cuts.map((cut, index) => characters.slice(cut, cuts[index + 1]).join("")) };
}

function measure(text: string): { encoding: Segmentation["encoding"]; widths: number[]; units: number } {
	const septets = Array.from(text, (character) => septetsOf.get(character));
	const gsm7 = septets.every((width) => width !== undefined);
	// Iterating a string yields code points: a surrogate pair is one character of two units.
	const widths = gsm7 ? septets : Array.from(text, (character) => character.length);
	return { encoding: gsm7 ? "gsm7" : "ucs2", widths, units: widths.reduce((sum, width) => sum + width, 0) };
}

// Where each segment begins. An escape pair or surrogate pair that does not fit moves whole into the next one, so dividing
// would count too few.
function findCuts(widths: number[], room: number): number[] {
	const cuts = [0];
	let used = 0;
	for (const [index, width] of widths.entries()) {
		if (used + width > room) {
			cuts.push(index);
			used = 0;
		}
		used += width;
	}
	return cuts;
}
