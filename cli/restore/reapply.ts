// What a restore would undo is done again, in an order in which each step may be repeated: holds first, for they keep. The ledger knows at the end what the store does.

import type { ScannedMessage } from "../../adapters/mongo/policies.ts";
import type { Deps } from "../../deps.ts";
import { isId } from "../../domain/ids.ts";
import { type LedgerEntry, newestStandings } from "../../domain/ledger.ts";
import { isFinal, openStates } from "../../domain/lifecycle.ts";
import { closeLink } from "../../domain/link.ts";
import { type ErasableObject, isReadable, type Message, sealedObjects } from "../../domain/message.ts";
import { takeFrom } from "../../domain/person.ts";
import { type HoldRecord, isWide, setByEnding } from "../../domain/subject.ts";
import type { TenantStanding } from "../../domain/tenancy.ts";
import { end, eraseObjects, eraseParts, type Transition } from "../../domain/transition.ts";
import { lock, type Verification } from "../../domain/verification.ts";
import { createProgress } from "../progress.ts";
import { destroyedCohorts } from "./destroyedCohorts.ts";
import { createReenter } from "./reenter.ts";

type Applied = Record<(typeof appliedNames)[number], number>;
type Of<Kind extends LedgerEntry["kind"]> = Extract<LedgerEntry, { kind: Kind }>;

const appliedNames = [
	...["records", "endings", "revocations", "rotations", "people", "tenants", "unknown", "links", "erasures", "keys"],
	...["codes", "entered", "unreadable"],
] as const;
const pageItems = 200;
// Nobody else is at work in quarantine, but for what a process had in hand as it began.
const roundsMax = 8;

/**
 * Answers how much was done; `entered` is what the ledger did not know, and the store did; `unreadable` are messages whose
 * packed part can't be read: they came to rest before the copy, what the ledger has erased of them goes all the same, and
 * from then on they are alerts. @throws LetheError keys_unavailable | store_unavailable; run
 * again, it goes on
 */
export async function reapply(deps: Deps): Promise<Applied> {
	const entries = await deps.ledger.all();
	const of = <Kind extends LedgerEntry["kind"]>(kind: Kind) =>
		entries.filter((entry): entry is Of<Kind> => entry.kind === kind);
	const applied = Object.fromEntries(appliedNames.map((name) => [name, 0])) as Applied;
	await applyRecords(deps, applied, of("record"), of("ended"));
	for (const entry of of("revoked")) if (await applyRevocation(deps, entry)) applied.revocations++;
	for (const entry of of("distrusted")) if (await applyDistrust(deps, entry)) applied.revocations++;
	for (const [id, some] of Map.groupBy(of("rotated"), ({ apiKeyId }) => apiKeyId)) {
		if (await applyRotations(deps, id, some)) applied.rotations++;
	}
	for (const [id, some] of Map.groupBy(of("taken"), ({ personId }) => personId)) {
		if (await applyTakings(deps, id, some)) applied.people++;
	}
	for (const entry of newestStandings(of("tenant"))) if (await applyStanding(deps, entry)) applied.tenants++;
	const reentry = createReenter(deps, entries);
	const erasures = new Map(of("erasure").map(({ messageId, at }) => [messageId, at]));
	await applyToMessages(deps, applied, { erasures, enter: reentry.enterMessage });
	applied.codes = await lockCodes(deps);
	await destroyKeys(deps, applied, of("cohort"));
	await reentry.enterRest();
	return { ...applied, entered: reentry.counted.entries };
}

/** Every hold is on its messages when this is done: whatever is ended, erased or destroyed after it finds them held. */
async function applyRecords(deps: Deps, applied: Applied, records: Of<"record">[], endings: Of<"ended">[]) {
	const { subjectRecords } = deps.stored;
	const now = deps.clock();
	const ended = new Set(endings.map(({ record }) => record));
	const byId = new Map(records.map(({ record }) => [record._id, record]));
	for (const { record } of records) {
		if (await subjectRecords.insert(record)) applied.records++;
		if (record.kind !== "hold") continue;
		if (!ended.has(record._id)) await putOn(deps, record);
	}
	for (const { record, ended: ending, eraseBy } of endings) {
		const set = setByEnding(byId.get(record), { nextCheckAt: now, eraseBy });
		if (await subjectRecords.end(record, ending, set)) applied.endings++;
	}
}

/** One on a period or tenant goes on from where the copy was; the sweep's further passes confirm it, and until then nothing is purged. */
async function putOn(deps: Deps, hold: HoldRecord): Promise<void> {
	const { subjectRecords, subjectMessages, wideHolds } = deps.stored;
	if (!isWide(hold)) return void (await subjectMessages.hold(hold));
	for (;;) {
		const record = await subjectRecords.find(hold._id);
		if (record?.kind !== "hold" || record.ended || (record.passes ?? 0) > 0) return;
		await wideHolds.apply(record, deps.clock());
	}
}

async function applyRevocation({ stored }: Deps, { _id, at }: Of<"revoked">): Promise<boolean> {
	if (isId("person", _id)) return stored.people.end(_id, at);
	if (!isId("webhookEndpoint", _id)) return stored.apiKeys.revoke(_id, at);
	const isThere = (await stored.webhookEndpoints.find(_id)) !== undefined;
	await stored.webhookEndpoints.delete(_id);
	await stored.webhookDeliveries.deleteOf(_id);
	return isThere;
}

async function applyDistrust({ stored }: Deps, { issuerId, at }: Of<"distrusted">): Promise<boolean> {
	const trusted = isId("issuer", issuerId) ? stored.issuers : stored.identityProviders;
	const issuer = await trusted.find(issuerId);
	return issuer !== undefined && issuer.createdAt <= at && trusted.remove(issuerId);
}

/** What a text of before had left when it was rotated, it has left now; the texts since are gone with the store. */
async function applyRotations({ stored }: Deps, id: string, entries: Of<"rotated">[]): Promise<boolean> {
	const found = await stored.apiKeys.find(id);
	const newest = found?.secrets[0];
	if (!found || !newest || found.revokedAt !== undefined) return false;
	const secrets = found.secrets.map((secret) => {
		const later = entries.filter(({ at }) => at > secret.createdAt);
		const ends = later.map(
			(entry) => entry.ends.find(({ createdAt }) => createdAt === secret.createdAt) ?? { endsAt: entry.at },
		);
		const times = [secret, ...ends].flatMap(({ endsAt }) => endsAt ?? []);
		return times.length === 0 ? secret : { ...secret, endsAt: Math.min(...times) };
	});
	if (JSON.stringify(secrets) === JSON.stringify(found.secrets)) return false;
	return stored.apiKeys.replaceSecrets(id, newest.mac, { secrets });
}

/** Of one revision there may be several: who lost a race for it had written theirs down, too. */
async function applyTakings({ stored }: Deps, id: string, entries: Of<"taken">[]): Promise<boolean> {
	let isTaken = false;
	await stored.people.change(id, (person) => {
		const later = entries.filter(({ revision }) => revision > person.revision);
		isTaken = later.length > 0 && person.endedAt === undefined;
		if (!isTaken) return undefined;
		// The next change is a later one than all that were: of another copy it is known what it lacks.
		const revision = Math.max(...later.map((entry) => entry.revision)) + 1;
		return { ...later.reduce((left, { taking }) => takeFrom(left, taking), person), revision };
	});
	return isTaken;
}

async function applyStanding({ stored: { tenants }, clock }: Deps, entry: Of<"tenant">): Promise<boolean> {
	const tenant = await tenants.find(entry.tenantId);
	if (!tenant) return false;
	const { standingRevision = 0 } = tenant;
	const isKnown = standingRevision > entry.revision || (standingRevision === entry.revision && !entry.intended);
	if (isKnown) return false;
	const now = clock();
	const to = standingAgain(tenant.standing, entry.standing, now);
	return tenants.setStanding(tenant._id, tenant.standing, to, now, entry.revision + 1);
}

/** Of a tenant that had left, and is back with the copy, keys and records go once more. */
function standingAgain(
	from: TenantStanding | undefined,
	to: TenantStanding | undefined,
	now: number,
): TenantStanding | undefined {
	if (to?.state !== "left" || from?.state === "left") return to;
	return { state: "leaving", since: now, step: "destroying" };
}

/** Open ones end as unknown: what became of them since the copy was made, nobody here knows. None is sent. */
async function applyToMessages(
	deps: Deps,
	applied: Applied,
	{ erasures, enter }: { erasures: Map<string, number>; enter: (message: Message) => Promise<void> },
): Promise<void> {
	const { messageScan, messages } = deps.stored;
	const shown = createProgress("messages");
	let after = "";
	let seen = 0;
	for (;;) {
		const page = await messageScan.scan(after, pageItems);
		await Promise.all(page.map((message) => applyTo(message)));
		seen += page.length;
		shown.show(seen, page.length < pageItems ? seen : seen + pageItems);
		after = page.at(-1)?._id ?? after;
		if (page.length < pageItems) break;
	}
	shown.end();

	async function applyTo(scanned: ScannedMessage): Promise<void> {
		const { _id } = scanned;
		const isUnreadable = !isReadable(scanned);
		// As it is now, holds that were applied again included. Of what can't be read the scan has all that is asked here.
		const message = isUnreadable ? (scanned as Message) : await endOpen(_id);
		if (!message) return;
		await enter(message);
		if (await close(message)) applied.links++;
		const goesAt = erasures.get(_id);
		const gone = goesAt === undefined ? 0 : await forget(message, goesAt);
		// Others count meanwhile.
		applied.erasures += gone;
		if (!isUnreadable) return;
		applied.unreadable++;
		// The sweep finds it, and has it be an alert.
		await messages.transition({ id: _id, set: { nextCheckAt: deps.clock() } });
	}

	/** Answers how many parts went at once. */
	async function forget(message: Message, at: number): Promise<number> {
		const left: ErasableObject[] = sealedObjects.filter((name) => message[name] !== undefined);
		if (message.receipts?.length > 0) left.push("receipt");
		if (left.length === 0) return 0;
		const erasing = forgetAgain(message, left, at, deps.clock());
		return (await messages.transition(erasing)) && erasing.erases ? left.length : 0;
	}

	// One that opens once may have opened since the copy was made, and of the wrong PINs since nothing is known.
	async function close(message: Message): Promise<boolean> {
		const { link } = message;
		if (!link || !message.content || (link.state !== "open" && link.state !== "claimed")) return false;
		return messages.transition(closeLink(message, link, deps.clock()));
	}

	async function endOpen(id: string): Promise<Message | undefined> {
		for (let round = 0; round < roundsMax; round++) {
			const message = await messages.find(id);
			if (!message || isFinal(message.state)) return message;
			const ending = { ...end(message, "unknown", deps.clock(), "restored"), from: openStates };
			if (await messages.transition(ending)) applied.unknown++;
		}
		throw new Error(`something works on message ${id} still: stop all senders and workers, and run this again.`);
	}
}

/** What a hold keeps now that its copy is back, or a law until later, is only marked: it goes when it is released, or then. */
function forgetAgain(message: Message, left: ErasableObject[], at: number, now: number): Transition {
	const dueAt = Math.max(at, now);
	if (dueAt <= now && message.holds.length === 0) return eraseParts(message, left, now, {});
	const marking = eraseObjects(message, [], now, {});
	const marks = left.flatMap((name) => [
		[`retention.${name}.inPlace`, true],
		[`retention.${name}.eraseBy`, Math.min(message.retention[name]?.eraseBy ?? dueAt, dueAt)],
		[`retention.${name}.goesBy`, dueAt],
	]);
	return { ...marking, set: { ...marking.set, ...Object.fromEntries(marks) } };
}

/** A one-time code serves once, and may have since the copy was made, or have been guessed at. Answers how many were locked. */
async function lockCodes({ stored: { verifications } }: Deps): Promise<number> {
	let count = 0;
	for (let after: string | undefined = ""; after !== undefined; ) {
		const page: Verification[] = await verifications.pageAll(after, pageItems);
		for (const record of page) {
			const locked = lock(record);
			if (locked && (await verifications.change(record, locked))) count++;
		}
		after = page.at(-1)?._id;
	}
	return count;
}

/** Keys that a copy of Vault has brought back go again; of their members, the purge sees to what is left. */
async function destroyKeys(deps: Deps, applied: Applied, entries: Of<"cohort">[]): Promise<void> {
	const { cohorts } = deps.stored;
	const gone = new Set(entries.map(({ _id }) => _id));
	for await (const { _id } of destroyedCohorts(deps.stored)) gone.add(_id);
	const due: string[] = [];
	for (const id of gone) {
		if (await deps.cohortKeys.exists(id)) {
			await deps.cohortKeys.destroyCohortKey(id);
			applied.keys++;
		}
		const cohort = await cohorts.find(id);
		if (cohort && cohort.state !== "destroyed") due.push(id);
	}
	await cohorts.endNow(due, deps.clock());
}
