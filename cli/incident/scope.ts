// What a copy of stores as of some time gives whoever has it: reckoned from the records, the dates of erasures and of keys.

import type { Cohort } from "../../adapters/mongo/models.ts";
import type { Deps } from "../../deps.ts";
import { parkingTenant } from "../../domain/ids.ts";
import { isReadable, type Message, type SealedObjectName, sealedObjects } from "../../domain/message.ts";
import { type BreachClock, breachClocks } from "../../policies/breach.ts";

export const exposedStores = ["mongodb", "vault", "redis", "temporal", "logs"] as const;
export type ExposedStore = (typeof exposedStores)[number];

type ScopeDeps = Pick<Deps, "policies"> & {
	config: { lifetimes: Deps["config"]["lifetimes"] };
	store: {
		tenants: Pick<Deps["store"]["tenants"], "all">;
		messages: Pick<Deps["store"]["messages"], "page">;
		cohorts: Pick<Deps["store"]["cohorts"], "findByTenant">;
	};
};

/** `residue`: erased by then, and perhaps still in what the store had not overwritten. */
type Fate = "exposed" | "residue" | "safe" | "gone";

export type Scope = {
	stores: ExposedStore[];
	/** RFC 3339 UTC, as the clocks. */
	at: string;
	awareAt: string;
	/** Whether content or a number can be read from such a copy. */
	readable: boolean;
	finding: string;
	counts: Record<
		| "subjects"
		| "messages"
		| "sealedMessages"
		| "residueMessages"
		| "readableMessages"
		| "unreadableMessages"
		| "keysExposed"
		| "keysResidue"
		| "keysSafe"
		| "keysGone",
		number
	>;
	/** By pseudonym: nobody else than the tenant, who has the numbers, can tell who they are. */
	subjects: { tenantId: string; subject: string; messages: number; sealed: number; readable: number }[];
	keys: { tenantId: string; cohortId: string; fate: Fate }[];
	/** Messages whose records can't be read: of what was erased of them before nobody can tell when. */
	unreadable: { tenantId: string; messageId: string }[];
	clocks: BreachClock[];
	dataClasses: Record<string, number>;
	countries: Record<string, number>;
	limits: string[];
};

const pageItems = 500;
const unreadableLimit =
	"countries, data classes and laws, with their clocks, of the messages whose records can't be read";
const findings: Record<ExposedStore, string> = {
	mongodb: "Content and numbers are ciphertext there; the keys that open them never leave Vault.",
	vault:
		"Keys without ciphertext: content needs a copy of MongoDB, too. Rotate carrier credentials and API-key hashes.",
	redis: "Opaque ids of messages on their way, counts and rates; no content, no number, no key.",
	temporal: "Opaque ids, enums, counts and times; no content, no number, no key.",
	logs: "Opaque ids, codes and times; no content, no number, no key.",
};

/** `at` and `awareAt` are epoch milliseconds. @throws LetheError store_unavailable */
export async function scopeIncident(
	deps: ScopeDeps,
	{ stores, at, awareAt }: { stores: ExposedStore[]; at: number; awareAt: number },
): Promise<Scope> {
	const scope = emptyScope(stores, at, awareAt);
	const packs = new Set<string>();
	const tenantIds = (await deps.store.tenants.all()).map(({ _id }) => _id);
	// Receipts wait for their message under keys that are no tenant's.
	for (const tenantId of [...tenantIds, parkingTenant]) {
		const fates = new Map<string, Fate>();
		for (const cohort of await deps.store.cohorts.findByTenant(tenantId)) {
			if (cohort.createdAt > at) continue;
			const fate = keyFate(cohort, at, stores, deps.config.lifetimes.vaultRaftLogMs);
			fates.set(cohort._id, fate);
			scope.keys.push({ tenantId, cohortId: cohort._id, fate });
		}
		await addTenant(deps, scope, { tenantId, at, fates, packs });
	}
	for (const { fate } of scope.keys) scope.counts[keyCounts[fate]]++;
	scope.counts.subjects = scope.subjects.length;
	scope.counts.unreadableMessages = scope.unreadable.length;
	if (scope.unreadable.length > 0) scope.limits.push(unreadableLimit);
	scope.readable = scope.counts.readableMessages > 0;
	if (scope.readable) scope.finding = "Database and keys together open what was there: treat it as plain text.";
	await deps.policies.refresh();
	// The law as it stands then, and once: the messages were judged by it as it stood at their time, each by another version.
	const { files } = deps.policies.inForce(awareAt);
	scope.clocks = breachClocks(
		files.filter(({ id }) => packs.has(id)),
		awareAt,
	);
	return scope;
}

const keyCounts = {
	exposed: "keysExposed",
	residue: "keysResidue",
	safe: "keysSafe",
	gone: "keysGone",
} as const satisfies Record<Fate, keyof Scope["counts"]>;

type Place = {
	tenantId: string;
	at: number;
	fates: Map<string, Fate>;
	/** Ids of those that the messages were judged by. */
	packs: Set<string>;
};

async function addTenant(deps: ScopeDeps, scope: Scope, place: Place): Promise<void> {
	const subjects = new Map<string, Scope["subjects"][number]>();
	// The newest that can have been in the copy first.
	let after: { acceptedAt: number; id: string } = { acceptedAt: place.at + 1, id: "" };
	for (;;) {
		const page = await deps.store.messages.page(place.tenantId, pageItems, after);
		for (const message of page) addMessage(deps, scope, place, subjects, message);
		const last = page.at(-1);
		if (page.length < pageItems || !last) break;
		after = { acceptedAt: last.acceptedAt, id: last._id };
	}
	for (const subject of new Set(subjects.values())) scope.subjects.push(subject);
}

function addMessage(
	deps: ScopeDeps,
	scope: Scope,
	{ tenantId, at, fates, packs }: Place,
	subjects: Map<string, Scope["subjects"][number]>,
	message: Message,
): void {
	const held = objectsAt(message, at, residueMsOf(deps.config.lifetimes));
	const database = scope.stores.includes("mongodb");
	// Kept under a hold's key since, or moved by a policy: by then it was under another, which stood.
	const moved: Fate = scope.stores.includes("vault") ? "exposed" : "safe";
	const isOpened = ({ cohortId }: Held) => database && ["exposed", "residue"].includes(fates.get(cohortId) ?? moved);
	const [sealed, readable] = [held.some(({ residue }) => !residue), held.some(isOpened)];
	const { mac, others = [] } = message.subject;
	// One person, though the key of their pseudonym was rotated: later messages bear those of before it beside their own.
	const macs = [mac, ...others];
	const known = macs.map((one) => subjects.get(one)).find((one) => one !== undefined);
	const subject = known ?? { tenantId, subject: mac, messages: 0, sealed: 0, readable: 0 };
	for (const one of macs) subjects.set(one, subject);
	subject.messages++;
	scope.counts.messages++;
	if (sealed) {
		subject.sealed++;
		scope.counts.sealedMessages++;
	} else if (held.length > 0) scope.counts.residueMessages++;
	if (readable) {
		subject.readable++;
		scope.counts.readableMessages++;
	}
	if (!isReadable(message)) {
		scope.unreadable.push({ tenantId, messageId: message._id });
		return;
	}
	for (const name of message.dataClasses) scope.dataClasses[name] = (scope.dataClasses[name] ?? 0) + 1;
	scope.countries[message.country] = (scope.countries[message.country] ?? 0) + 1;
	for (const { id } of message.decision.packs) packs.add(id);
}

/** How long the database's own files may show an erased field: the longer of both, null where one has no end. */
function residueMsOf({ oplogMs, journalMs }: Deps["config"]["lifetimes"]): number | null {
	return oplogMs === null || journalMs === null ? null : Math.max(oplogMs, journalMs);
}

type Held = { object: SealedObjectName; cohortId: string; residue: boolean };

/** Objects whose ciphertext was there, or may have been in what was not overwritten yet. */
function objectsAt(message: Message, at: number, residueMs: number | null): Held[] {
	return sealedObjects.flatMap((object): Held[] => {
		const { erasedAt, cohortId: was } = message.retention[object] ?? {};
		const cohortId = message[object]?.cohortId ?? was;
		if (cohortId === undefined) return [];
		if (erasedAt === undefined || erasedAt > at) return [{ object, cohortId, residue: false }];
		const residue = residueMs === null || at < erasedAt + residueMs;
		return residue ? [{ object, cohortId, residue }] : [];
	});
}

function keyFate(cohort: Cohort, at: number, stores: ExposedStore[], residueMs: number | null): Fate {
	const { destroyedAt } = cohort;
	const exposed = stores.includes("vault");
	if (destroyedAt === undefined || destroyedAt > at) return exposed ? "exposed" : "safe";
	// A deleted key can be put back from the raft files for as long as they have it.
	const remains = residueMs === null || at < destroyedAt + residueMs;
	return exposed && remains ? "residue" : "gone";
}

function emptyScope(stores: ExposedStore[], at: number, awareAt: number): Scope {
	const counts = { subjects: 0, messages: 0, sealedMessages: 0, residueMessages: 0, readableMessages: 0 };
	return {
		stores,
		at: new Date(at).toISOString(),
		awareAt: new Date(awareAt).toISOString(),
		readable: false,
		finding: stores.map((store) => findings[store]).join(" "),
		counts: { ...counts, unreadableMessages: 0, keysExposed: 0, keysResidue: 0, keysSafe: 0, keysGone: 0 },
		subjects: [],
		keys: [],
		unreadable: [],
		clocks: [],
		dataClasses: {},
		countries: {},
		limits: [
			"messages whose record has been deleted since; the evidence log names them by id",
			"consents, opt-outs and holds, which a copy of MongoDB holds by pseudonym",
		],
	};
}
