// Entries of the evidence log: what may stand in one, and the one form (RFC 8785) in which it is hashed.

import canonicalize from "canonicalize";
import { z } from "zod";
import { type Act, actors, actTypes, type Entry, everyTenant, isWord } from "../domain/evidence.ts";
import { isAnyId, isId } from "../domain/ids.ts";
import { hashBytes } from "./merkle.ts";

const word = z.string().refine(isWord);
// All are letters behind a prefix, which hide no number.
const id = z.string().refine(isAnyId);

/** Whatever is not named here is refused: there is no field for a text. */
const entrySchema = z.strictObject({
	id: z.string().refine((value) => isId("evidence", value)),
	at: z.iso.datetime({ precision: 3 }),
	type: z.enum(actTypes),
	code: word.optional(),
	tenantId: z
		.string()
		.refine((value) => isId("tenant", value))
		.optional(),
	about: id.optional(),
	by: z.union([id, z.enum(actors)]).optional(),
	// A carrier that refuses for weeks is asked some thousand times; a phone number needs a digit more.
	attempt: z.int().min(0).max(999_999).optional(),
	predecessor: z
		.strictObject({
			// As the setting takes it.
			origin: z.string().regex(/^[^\s+]{1,160}$/),
			size: z.int().min(0),
			root: z.base64().length(Math.ceil(hashBytes / 3) * 4),
		})
		.optional(),
});

/**
 * An entry as it is hashed and kept: canonical JSON.
 * @param at epoch ms
 * @throws ZodError when it says anything that an entry may not
 */
export function formatEntry(id: string, at: number, act: Act): string {
	return canonicalize(entrySchema.parse({ id, at: new Date(at).toISOString(), ...act })) as string;
}

/** The entry in a text; undefined when it isn't one, or not in canonical form. */
export function readEntry(text: string): Entry | undefined {
	const { data } = entrySchema.safeParse(parse(text));
	return data !== undefined && canonicalize(data) === text ? (data as Entry) : undefined;
}

/** The entry in a text that a tenant may see: its own, or one that concerns them all. What can't be read is shown to nobody. */
export function readShown(text: string, tenantId: string): Entry | undefined {
	const entry = readEntry(text);
	return entry && [tenantId, everyTenant].includes(entry.tenantId ?? everyTenant) ? entry : undefined;
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
