// What still needs an old version of a signing or HMAC key. One may end once nothing does, and every older one has.

import type { ApiKeyDocument, IssuerDocument } from "../adapters/mongo/models.ts";
import type { PersonLoginDocument, StoredPerson } from "../adapters/mongo/people.ts";
import type { StoredRequest } from "../adapters/mongo/subjectRequests.ts";
import type { KeyVersions, VersionedKey } from "../adapters/vault/keyVersions.ts";
import { keyVersionOf } from "../domain/keyVersionOf.ts";
import { limits } from "../domain/limits.ts";
import type { SubjectRecord } from "../domain/subject.ts";
import { isSigningKey, type KeyPeriods, periodOf } from "./keyAges.ts";

/** `until`: something may, until then, epoch ms. `count`: so many do, or more where it is `limits.keyNeedsCountedMax`; `ids` names some. */
export type KeyNeed = { by: string; until: number } | { by: string; count: number; ids: string[] };

export type OldVersion = { version: number; madeAt: number; needs: KeyNeed[] };

/** A key's versions before its newest that still serve, the oldest first. Those from `from` on are there; from `keepFrom` on they have to stay. */
export type KeyNeeds = { key: VersionedKey; old: OldVersion[]; from: number; keepFrom: number };

type Place = { at: number; id: string };

export type KeyNeedsDeps = {
	clock: () => number;
	keyVersions: Pick<KeyVersions, "read">;
	sessionLimits: { lifeMs: number };
	store: {
		apiKeys: { pageAll: (afterId: string, itemsMax: number) => Promise<ApiKeyDocument[]> };
		issuers: { all: () => Promise<Pick<IssuerDocument, "_id">[]> };
		people: {
			pageAll: (afterId: string, itemsMax: number) => Promise<StoredPerson[]>;
			pageLogins: (afterId: string, itemsMax: number) => Promise<PersonLoginDocument[]>;
		};
		subjectMessages: {
			findByKeyVersion: (wanted: {
				tenantId: string;
				version: number;
				from: number;
				to: number;
				itemsMax: number;
			}) => Promise<string[]>;
		};
		subjectRecords: {
			page: (
				tenantId: string,
				kind: SubjectRecord["kind"],
				itemsMax: number,
				after?: Place,
			) => Promise<Pick<SubjectRecord, "_id" | "subjects" | "recordedAt">[]>;
		};
		subjectRequests: {
			page: (
				tenantId: string,
				itemsMax: number,
				after?: Place,
			) => Promise<(Pick<StoredRequest, "_id" | "recordedAt"> & { subjects?: string[] })[]>;
		};
	};
};

/** Undefined where there is no such key, or it is neither a signing nor an HMAC key. @throws LetheError */
export async function findKeyNeeds(deps: KeyNeedsDeps, name: string): Promise<KeyNeeds | undefined> {
	const { use, key } = await readUsed(deps, name);
	return use && key && countNeeds(deps, use, key);
}

/** Keys with a version past its cryptoperiod that nothing needs, since when it is. @throws LetheError */
export async function findEndableKeys(
	deps: KeyNeedsDeps,
	periods: KeyPeriods,
	names: readonly string[],
): Promise<{ name: string; since: number }[]> {
	const found: { name: string; since: number }[] = [];
	for (const name of names) {
		const period = periodOf(name, periods);
		const isPast = ({ madeAt }: { madeAt: number }) => madeAt + period <= deps.clock();
		const { use, key } = await readUsed(deps, name);
		// To count what needs them goes over whole collections: not for versions that may stay anyway.
		if (!use || !key?.versions.some((one) => one.version < key.newest && isPast(one))) continue;
		const { old, keepFrom } = await countNeeds(deps, use, key);
		const past = old.find((one) => one.version < keepFrom && isPast(one));
		if (past) found.push({ name, since: past.madeAt + period });
	}
	return found;
}

async function readUsed({ keyVersions, sessionLimits }: KeyNeedsDeps, name: string) {
	const use = useOf(name, sessionLimits.lifeMs);
	return { use, key: use && (await keyVersions.read(name)) };
}

async function countNeeds(deps: KeyNeedsDeps, use: Use, key: VersionedKey): Promise<KeyNeeds> {
	const from = use.signs ? key.makesFrom : key.keptFrom;
	const versions = key.versions.filter(({ version }) => version >= from && version < key.newest);
	if (versions.length === 0) return { key, old: [], from, keepFrom: key.newest };
	const kept = await use.count(deps, key);
	const now = deps.clock();
	const old = versions.map(({ version, madeAt }): OldVersion => {
		const until = replacedAt(key, version) + use.lingersMs;
		const passing = until > now ? [{ by: use.lingers, until }] : [];
		return { version, madeAt, needs: [...passing, ...(kept.get(version) ?? [])] };
	});
	return { key, old, from, keepFrom: old.find(({ needs }) => needs.length > 0)?.version ?? key.newest };
}

/** `lingers`: what may need a version until `lingersMs` after it was replaced; `count` finds what is stored under each. */
type Use = { signs: boolean; lingers: string; lingersMs: number; count: Count };
type Count = (deps: KeyNeedsDeps, key: VersionedKey) => Promise<Map<number, KeyNeed[]>>;

const countNothing: Count = async () => new Map();
// A process that does not reach Vault goes on with the versions that it knows.
const hashedMs = limits.hmacAnnounceMs + limits.hmacStaleMsMax;
// A link's PIN is hashed when it is accepted, which may be a week before it is sent and two before its life begins.
const linkPinMs = limits.deadlineMsMax + limits.linkLifeMs;
const subjectPrefix = "hmac-subject-";

function useOf(name: string, sessionLifeMs: number): Use | undefined {
	if (name.startsWith(subjectPrefix)) {
		const tenantId = name.slice(subjectPrefix.length);
		const count: Count = (deps, key) => countSubjects(deps, key, tenantId);
		return hashing("one-time codes' limits", limits.verificationWindowMs, count);
	}
	const uses: Record<string, Use> = {
		"hmac-idempotency": hashing("idempotency keys", limits.idempotencyKeptMs, countNothing),
		"hmac-code": hashing("one-time codes and links' PINs", linkPinMs, countNothing),
		"hmac-api-key": hashing("processes", 0, countApiKeys),
		"hmac-person": hashing("sessions", sessionLifeMs, countPeople),
	};
	const signing = { signs: true, lingers: "processes", lingersMs: limits.keyRestMs, count: countNothing };
	return isSigningKey(name) ? signing : uses[name];
}

function hashing(lingers: string, lifeMs: number, count: Count): Use {
	return { signs: false, lingers, lingersMs: hashedMs + lifeMs, count };
}

function replacedAt({ versions, madeAt }: VersionedKey, version: number): number {
	return versions.find((next) => next.version === version + 1)?.madeAt ?? madeAt;
}

const countApiKeys: Count = async ({ store, clock }) => {
	const tally = createTally();
	const now = clock();
	for await (const { _id, secrets, revokedAt, expiresAt } of all(store.apiKeys.pageAll)) {
		if (revokedAt !== undefined || (expiresAt ?? Number.POSITIVE_INFINITY) <= now) continue;
		const live = secrets.filter(({ endsAt = Number.POSITIVE_INFINITY }) => endsAt > now);
		for (const version of new Set(live.map(({ macVersion }) => macVersion))) tally.add(version, "API keys", _id);
	}
	return tally.found();
};

const countPeople: Count = async ({ store, clock }, { keptFrom }) => {
	const tally = createTally();
	const now = clock();
	// Nothing of their callers is stored: the id of each derives from the oldest version, as api/authenticators/token.ts has it.
	for (const { _id } of await store.issuers.all()) tally.add(keptFrom, "trusted issuers", _id);
	for await (const { mac, personId } of all(store.people.pageLogins)) {
		tally.add(keyVersionOf(mac), "login names", personId);
	}
	for await (const { _id, enrolment, recoveryMacs, sso } of all(store.people.pageAll)) {
		if (enrolment && enrolment.expiresAt > now) tally.add(keyVersionOf(enrolment.mac), "invitations", _id);
		if (sso) tally.add(keyVersionOf(sso.mac), "identities at a provider", _id);
		for (const version of new Set(recoveryMacs.map(keyVersionOf))) tally.add(version, "recovery codes", _id);
	}
	return tally.found();
};

// Every kind that there is: what is not counted would be lost with its version.
const recordNames = {
	consent: "consents",
	opt_out: "opt-outs",
	hold: "holds",
	recipient_key: "recipients' keys",
} as const satisfies Record<SubjectRecord["kind"], string>;

/** What is found by the newest version that it bears needs no older one. */
async function countSubjects({ store }: KeyNeedsDeps, key: VersionedKey, tenantId: string) {
	const tally = createTally();
	const newestOf = (macs: readonly string[]) => Math.max(...macs.map((mac) => keyVersionOf(mac) ?? 0), 0);
	for (const { version, madeAt } of key.versions) {
		if (version === key.newest) break;
		const [from, to] = [madeAt - limits.clockSkewMs, replacedAt(key, version) + hashedMs + limits.clockSkewMs];
		const wanted = { tenantId, version, from, to, itemsMax: limits.keyNeedsCountedMax };
		const ids = await store.subjectMessages.findByKeyVersion(wanted);
		for (const id of ids) tally.add(version, "messages", id);
	}
	for (const kind of Object.keys(recordNames) as (keyof typeof recordNames)[]) {
		const page = (itemsMax: number, after?: Place) => store.subjectRecords.page(tenantId, kind, itemsMax, after);
		for await (const { _id, subjects } of allByTime(page)) tally.add(newestOf(subjects), recordNames[kind], _id);
	}
	const page = (itemsMax: number, after?: Place) => store.subjectRequests.page(tenantId, itemsMax, after);
	for await (const { _id, subjects = [] } of allByTime(page)) tally.add(newestOf(subjects), "requests", _id);
	return tally.found();
}

function createTally() {
	const byVersion = new Map<number, Map<string, { count: number; ids: string[] }>>();
	return {
		/** What no version has a part in is left out. */
		add(version: number | undefined, by: string, id: string): void {
			if (!version) return;
			const needs = byVersion.get(version) ?? new Map<string, { count: number; ids: string[] }>();
			byVersion.set(version, needs);
			const need = needs.get(by) ?? { count: 0, ids: [] };
			needs.set(by, need);
			need.count = Math.min(need.count + 1, limits.keyNeedsCountedMax);
			if (need.ids.length < limits.keyNeedsNamedMax) need.ids.push(id);
		},
		found: () =>
			new Map(
				[...byVersion].map(([version, needs]) => [version, [...needs].map(([by, need]): KeyNeed => ({ by, ...need }))]),
			),
	};
}

async function* all<Item extends { _id: string }>(
	page: (afterId: string, itemsMax: number) => Promise<Item[]>,
): AsyncGenerator<Item> {
	for (let after = ""; ; ) {
		const items = await page(after, limits.keyNeedsPageItems);
		yield* items;
		const last = items.at(-1);
		if (!last) return;
		after = last._id;
	}
}

async function* allByTime<Item extends { _id: string; recordedAt: number }>(
	page: (itemsMax: number, after?: Place) => Promise<Item[]>,
): AsyncGenerator<Item> {
	for (let after: Place | undefined; ; ) {
		const items = await page(limits.keyNeedsPageItems, after);
		yield* items;
		const last = items.at(-1);
		if (!last) return;
		after = { at: last.recordedAt, id: last._id };
	}
}
