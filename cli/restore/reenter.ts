// What the store knows and the ledger lacks is entered again: a Vault from a copy has forgotten it, and the next restore of the database goes by the ledger.

import type { Deps } from "../../deps.ts";
import { entriesOf, keyOf, type LedgerEntry, newestStandings } from "../../domain/ledger.ts";
import { erasableObjects, isReadable, type Message, sealedObjects } from "../../domain/message.ts";
import { type Role, roles } from "../../domain/roles.ts";
import { destroyedCohorts } from "./destroyedCohorts.ts";

const pageItems = 200;

/**
 * Has the ledger know what the store still shows to have been taken. What left no trace there (a passkey, a deleted
 * endpoint, an issuer that was removed) only another place of the ledger knows.
 * @param known what the ledger has; that is not entered again
 */
export function createReenter(deps: Pick<Deps, "clock" | "ledger" | "stored">, known: readonly LedgerEntry[]) {
	const keys = new Set(known.map(keyOf));
	const counted = { entries: 0 };

	async function enter(entries: readonly LedgerEntry[]): Promise<void> {
		const lacking = entries.filter((entry) => !keys.has(keyOf(entry)));
		for (const entry of lacking) await deps.ledger.put(entry);
		counted.entries += lacking.length;
	}

	/** Each of a collection that is read page by page. */
	async function enterEach<Document extends { _id: string }>(
		pageAll: (afterId: string, itemsMax: number) => Promise<Document[]>,
		toEntries: (document: Document) => LedgerEntry[],
	): Promise<void> {
		for (let after: string | undefined = ""; after !== undefined; ) {
			const page: Document[] = await pageAll(after, pageItems);
			await enter(page.flatMap(toEntries));
			after = page.at(-1)?._id;
		}
	}

	return {
		counted,
		/** That it went for a subject's request, if it did. */
		enterMessage: (message: Message): Promise<void> =>
			enter(isReadable(message) ? erasureOf(message) : erasureOfUnread(message, deps.clock())),
		/** All but messages. @throws LetheError keys_unavailable | store_unavailable */
		async enterRest(): Promise<void> {
			const { subjectRecords, apiKeys, people, issuers, identityProviders } = deps.stored;
			await enterEach(subjectRecords.pageAll, (record) => (record.kind === "erased" ? [] : entriesOf(record)));
			await enterEach(apiKeys.pageAll, ({ _id, revokedAt, secrets }) =>
				revokedAt === undefined ? rotationOf(_id, secrets) : [{ _id, kind: "revoked", at: revokedAt }],
			);
			await enterEach(people.pageAll, takingOf);
			for (const { _id: issuerId, createdAt } of [...(await issuers.all()), ...(await identityProviders.all())]) {
				// As it was trusted before the present trust, it is trusted no more.
				const at = createdAt - 1;
				await enter([{ _id: `${issuerId}-${at}`, kind: "distrusted", issuerId, at }]);
			}
			for await (const { _id, destroyedAt: at = 0 } of destroyedCohorts(deps.stored)) {
				await enter([{ _id, kind: "cohort", at }]);
			}
			await enterTenants();
		},
	};

	async function enterTenants(): Promise<void> {
		const standings = newestStandings(known.filter((entry) => entry.kind === "tenant"));
		const revisions = new Map(standings.map(({ tenantId, revision }) => [tenantId, revision]));
		for (const { _id, standingRevision = 0 } of await deps.stored.tenants.all()) {
			if (standingRevision <= (revisions.get(_id) ?? 0)) continue;
			await deps.ledger.putStanding(_id);
			counted.entries++;
		}
	}
}

/** What a subject's request has asked to go by itself says by when: the rest of the message's goes with it. */
function erasureOf({ _id: messageId, tenantId, retention }: Message): LedgerEntry[] {
	const asked = erasableObjects.flatMap((name) => {
		const { request, goesBy, eraseBy = 0 } = retention[name] ?? {};
		return request !== undefined || goesBy !== undefined ? [eraseBy] : [];
	});
	if (asked.length === 0) return [];
	return [{ _id: messageId, kind: "erasure", tenantId, messageId, at: Math.max(...asked) }];
}

/** Why its parts went is among what nobody can read of it. Once both are gone, for whatever reason, neither may come back. */
function erasureOfUnread(message: Message, at: number): LedgerEntry[] {
	const { _id: messageId, tenantId } = message;
	if (sealedObjects.some((name) => message[name] !== undefined)) return [];
	return [{ _id: messageId, kind: "erasure", tenantId, messageId, at }];
}

function rotationOf(apiKeyId: string, secrets: { createdAt: number; endsAt?: number }[]): LedgerEntry[] {
	const [current, ...earlier] = secrets;
	if (!current || earlier.length === 0) return [];
	const at = current.createdAt;
	const ends = earlier.map(({ createdAt, endsAt = at }) => ({ createdAt, endsAt }));
	return [{ _id: `${apiKeyId}-${at}`, kind: "rotated", apiKeyId, at, ends }];
}

type Known = { _id: string; revision: number; roles: Role[]; sessionsFrom: number; endedAt?: number };

// Of a person who is there: roles that they do not have, and sessions that are over. Who was never changed was taken nothing.
function takingOf({ _id, revision, roles: has, sessionsFrom, endedAt }: Known): LedgerEntry[] {
	if (endedAt !== undefined) return [{ _id, kind: "revoked", at: endedAt }];
	if (revision === 0) return [];
	const taking = { roles: roles.filter((role) => !has.includes(role)), sessionsFrom };
	return [{ _id: `${_id}-${revision}`, kind: "taken", personId: _id, revision, taking }];
}
