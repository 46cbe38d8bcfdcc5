// Where a page ends, as an opaque text: a time and an id, nothing that tells of a person.

import { LetheError } from "../domain/errors.ts";
import { type IdKind, isId } from "../domain/ids.ts";

/** The place of the last item of a page; epoch milliseconds. */
export type Place = { at: number; id: string };

/** The place that a cursor names; undefined without one. @throws LetheError invalid_request */
export function readCursor(kind: IdKind, cursor: string | undefined): Place | undefined {
	if (cursor === undefined) return undefined;
	const [time = "", id = ""] = Buffer.from(cursor, "base64url").toString("latin1").split(" ");
	if (/^\d{1,15}$/.test(time) && isId(kind, id)) return { at: Number(time), id };
	const errors = [{ pointer: "/querystring/cursor", detail: "Not a cursor that a page gave." }];
	throw new LetheError("invalid_request", { errors });
}

/**
 * One page out of `limit + 1` items that were asked for: the one too many tells whether there is a next page.
 */
export function toPage<Item>(found: Item[], limit: number, placeOf: (item: Item) => Place) {
	const items = found.slice(0, limit);
	const last = found.length > limit ? items.at(-1) : undefined;
	return { items, ...(last === undefined ? {} : { next: formatCursor(placeOf(last)) }) };
}

function formatCursor({ at, id }: Place): string {
	return Buffer.from(`${at} ${id}`).toString("base64url");
}
