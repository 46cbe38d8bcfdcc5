// Old versions of keys end only once nothing needs them: what does is named, by version, and an older one that stays keeps the later.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findEndableKeys, findKeyNeeds, type KeyNeedsDeps } from "../../audit/keyNeeds.ts";
import { limits } from "../../domain/limits.ts";

const day = 24 * 3600_000;
const staleMs = limits.hmacStaleMsMax + limits.hmacAnnounceMs;
const made = [0, 100 * day, 200 * day];
const tenantId = "ten_a";

/** A key of three versions, and a store with nothing in it but what is given; two items a page. */
function setUp(now: number, given: Record<string, object[]> = {}, key: object = {}) {
	const byId = (items: object[] = []) => {
		const all = items as { _id: string }[];
		return async (after: string) => all.filter(({ _id }) => _id > after).slice(0, 2) as never;
	};
	const byTime = (items: object[] = [], after?: { at: number }) => {
		const all = (items as { recordedAt: number }[]).toSorted((one, other) => other.recordedAt - one.recordedAt);
		return all.filter(({ recordedAt }) => recordedAt < (after?.at ?? Number.POSITIVE_INFINITY)).slice(0, 2) as never;
	};
	const deps: KeyNeedsDeps = {
		clock: () => now,
		sessionLimits: { lifeMs: day / 2 },
		keyVersions: {
			read: async (name) => ({
				...{ name, newest: 3, madeAt: made[2] as number, keptFrom: 1, makesFrom: 1 },
				versions: made.map((madeAt, index) => ({ version: index + 1, madeAt })),
				...key,
			}),
		},
		store: {
			apiKeys: { pageAll: byId(given.apiKeys) },
			issuers: { all: async () => (given.issuers ?? []) as { _id: string }[] },
			people: { pageAll: byId(given.people), pageLogins: byId(given.logins) },
			subjectMessages: {
				async findByKeyVersion({ tenantId: of, version, from, to, itemsMax }) {
					const messages = (given.messages ?? []) as { _id: string; version: number; acceptedAt: number }[];
					const those = messages.filter((one) => one.acceptedAt >= from && one.acceptedAt <= to && of === tenantId);
					return those
						.filter((one) => one.version === version)
						.map(({ _id }) => _id)
						.slice(0, itemsMax);
				},
			},
			subjectRecords: { page: async (_, kind, __, after) => byTime(given[kind], after) },
			subjectRequests: { page: async (_, __, after) => byTime(given.requests, after) },
		},
	};
	const needsOf = async (name: string) => {
		const { old = [], keepFrom } = (await findKeyNeeds(deps, name)) ?? {};
		return {
			keepFrom,
			needs: old.map(({ needs }) => needs.map((need) => ("count" in need ? `${need.count} ${need.by}` : need.by))),
		};
	};
	return { deps, needsOf };
}

describe("what needs an old version of a key", () => {
	const later = made[2] as number;

	it("for as long as a process may go on with it, and what was made with it is good, each key by its own time", async () => {
		const lives = {
			"hmac-idempotency": limits.idempotencyKeptMs,
			// To be sent in a week, valid for a week, its link good for a third.
			"hmac-code": 21 * day,
			"hmac-api-key": 0,
			"hmac-person": day / 2,
			[`hmac-subject-${tenantId}`]: limits.verificationWindowMs,
		};
		for (const [name, lifeMs] of Object.entries(lives)) {
			const before = await setUp(later + staleMs + lifeMs - 1).needsOf(name);
			assert.deepEqual([before.keepFrom, before.needs[0]?.length, before.needs[1]?.length], [2, 0, 1], name);
			assert.equal((await setUp(later + staleMs + lifeMs).needsOf(name)).keepFrom, 3, name);
		}
		for (const name of ["certificate", "evidence", "token", "canary", "receipt"]) {
			assert.equal((await setUp(later + limits.keyRestMs - 1).needsOf(name)).keepFrom, 2, name);
			assert.equal((await setUp(later + limits.keyRestMs).needsOf(name)).keepFrom, 3, name);
		}
	});

	it("API keys that open something by it; not those that ended, and not the last version", async () => {
		const now = later + 10 * day;
		const secret = (macVersion: number, endsAt?: number) => ({ macVersion, ...(endsAt ? { endsAt } : {}) });
		const apiKeys = [
			{ _id: "a", secrets: [secret(3), secret(1, now + 1)] },
			{ _id: "b", secrets: [secret(3), secret(1, now)] },
			{ _id: "c", secrets: [secret(1)], revokedAt: 1 },
			{ _id: "d", secrets: [secret(1)], expiresAt: now },
			{ _id: "e", secrets: [secret(2)] },
		];
		assert.deepEqual(await setUp(now, { apiKeys }).needsOf("hmac-api-key"), {
			keepFrom: 1,
			needs: [["1 API keys"], ["1 API keys"]],
		});
		const withoutFirst = apiKeys.slice(1);
		assert.equal((await setUp(now, { apiKeys: withoutFirst }).needsOf("hmac-api-key")).keepFrom, 2);
	});

	it("people by what they sign in with", async () => {
		const now = later + 10 * day;
		const logins = ["1.aaa", "1.bbb", "3.ccc"].map((mac, index) => ({
			_id: `ten/${mac}`,
			mac,
			personId: `per_${index}`,
		}));
		const people = [
			{ _id: "per_0", recoveryMacs: ["2.x", "2.y", "3.z"], sso: { mac: "1.s" } },
			{ _id: "per_1", recoveryMacs: [], enrolment: { mac: "2.e", expiresAt: now } },
			{ _id: "per_2", recoveryMacs: [], enrolment: { mac: "2.e", expiresAt: now + 1 } },
		];
		assert.deepEqual((await setUp(now, { logins, people }).needsOf("hmac-person")).needs, [
			["2 login names", "1 identities at a provider"],
			["1 recovery codes", "1 invitations"],
		]);
	});

	it("callers of an outside issuer by the oldest version, for as long as one is trusted: their ids derive from it", async () => {
		const now = later + 10 * day;
		const issuers = [{ _id: "iss_a" }];
		assert.deepEqual(await setUp(now, { issuers }).needsOf("hmac-person"), {
			keepFrom: 1,
			needs: [["1 trusted issuers"], []],
		});
		const ended = await setUp(now, { issuers }, { keptFrom: 2 }).needsOf("hmac-person");
		assert.deepEqual(ended, { keepFrom: 2, needs: [["1 trusted issuers"]] });
		assert.equal((await setUp(now).needsOf("hmac-person")).keepFrom, 3);
	});

	it("a tenant's messages, records and requests; what bears a newer pseudonym too needs the old one no more", async () => {
		const now = later + 10 * day;
		const messages = [
			{ _id: "m1", version: 1, acceptedAt: 50 * day },
			{ _id: "m2", version: 1, acceptedAt: 100 * day + 1 },
			{ _id: "m3", version: 3, acceptedAt: now },
		];
		const record = (at: number, ...subjects: string[]) => ({ _id: `r${at}`, recordedAt: at, subjects });
		const given = {
			messages,
			consent: [record(1, "1.a"), record(2, "2.a", "1.a")],
			opt_out: [record(3, "3.a", "2.a", "1.a"), record(4, "3.b"), record(5, "3.c"), record(6, "2.d")],
			hold: [record(7, tenantId), record(8)],
			requests: [record(9, "1.a"), { _id: "gone", recordedAt: 10 }],
		};
		assert.deepEqual((await setUp(now, given).needsOf(`hmac-subject-${tenantId}`)).needs, [
			["2 messages", "1 consents", "1 requests"],
			["1 consents", "1 opt-outs"],
		]);
		assert.equal((await setUp(now, { hold: given.hold }).needsOf(`hmac-subject-${tenantId}`)).keepFrom, 3);
	});

	it("no key but those that sign and hash; and nothing where there is one version, or the others have ended", async () => {
		const { deps } = setUp(later);
		for (const name of ["webhook", "people-ten_a", "cohort-coh_a", "hmac-other"]) {
			assert.equal(await findKeyNeeds(deps, name), undefined, name);
		}
		const ended = setUp(later, {}, { keptFrom: 3, makesFrom: 3, versions: [{ version: 3, madeAt: later }] });
		for (const name of ["hmac-code", "certificate"]) {
			const { old, from, keepFrom } = (await findKeyNeeds(ended.deps, name)) ?? {};
			assert.deepEqual([old, from, keepFrom], [[], 3, 3], name);
		}
	});

	it("is told of only past its cryptoperiod, since then", async () => {
		const periods = { signingPeriodMs: 150 * day, hmacPeriodMs: 1_000 * day };
		const { deps } = setUp(later + 10 * day);
		assert.deepEqual(await findEndableKeys(deps, periods, ["certificate", "hmac-code", "webhook"]), [
			{ name: "certificate", since: 150 * day },
		]);
		assert.deepEqual(await findEndableKeys(setUp(149 * day).deps, periods, ["certificate"]), []);
		const needed = setUp(later + 10 * day, { apiKeys: [{ _id: "a", secrets: [{ macVersion: 1 }] }] });
		const long = { signingPeriodMs: 1, hmacPeriodMs: 1 };
		assert.deepEqual(await findEndableKeys(needed.deps, long, ["hmac-api-key"]), [], "nor while one is needed");
	});
});
