// A bound of time that a query may have, as the stores know times.

/** Epoch milliseconds of a time in RFC 3339, where there is one. */
export function toTime(text: string | undefined): number | undefined {
	return text === undefined ? undefined : Date.parse(text);
}
