// /v1/people: an administrator says who may sign in, nobody does it to themselves, and no key does it at all.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TOTP } from "otpauth";
import { limits } from "../../../../domain/limits.ts";
import { rolesInForce } from "../../../../domain/person.ts";
import { personPassword } from "../../../../stack/enrolPerson.ts";
import { until } from "../../../harness/until.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

describe("/v1/people", () => {
	let api: TestApi;
	let tenantId: string;
	let admin: { token: string; personId: string };
	before(async () => {
		api = await createTestApi();
		({ tenantId } = await api.addTenant());
		admin = await api.addPerson(tenantId, ["admin"]);
	});
	after(() => api.close());

	/** A session of whoever enrols with that token. */
	async function enrolled(token: string): Promise<string> {
		const post = async (path: string, body: object) =>
			(await api.app.inject({ method: "POST", url: `/v1${path}`, payload: body })).json();
		const { totp } = await post("/enrolment", { token });
		const code = new TOTP({ secret: totp.secret }).generate({ timestamp: api.clock() });
		return (await post("/enrolment/complete", { token, password: personPassword, code, as: "token" })).token;
	}

	let sequence = 0;
	const ask = (method: "GET" | "POST", path: string, body?: object, by = admin.token) =>
		api.request(by, method, `/v1/people${path}`, body);
	const invite = (more: object = {}, by = admin.token) =>
		ask("POST", "", { login: `Clerk${sequence++}@Example.com`, name: "Ü. Clerk", roles: ["auditor"], ...more }, by);

	it("invites with a token that is shown once, tells names to administrators, and enters ids and words only", async () => {
		const made = await invite();
		assert.equal(made.status, 201);
		assert.match(made.json.enrolmentToken, /^lethe_enrol_[\w-]{43}$/);
		assert.equal(Date.parse(made.json.expiresAt) - api.clock() > limits.enrolmentLifeMs - 60_000, true);
		const seen = await ask("GET", `/${made.json.id}`);
		const { login, name, roles, state, createdBy } = seen.json;
		assert.deepEqual(
			[login, name, roles, state, createdBy],
			["clerk0@example.com", "Ü. Clerk", ["auditor"], "invited", admin.personId],
		);
		assert.ok(!seen.text.includes("enrol_"));
		const log = JSON.stringify(await api.entries());
		assert.ok(log.includes("person_invited"));
		for (const secret of [login, name, made.json.enrolmentToken]) assert.ok(!log.includes(secret), secret);
	});

	it("has each login name once a tenant, however it is written, and again once its owner has left", async () => {
		const login = "Kim@Example.com";
		const first = await invite({ login });
		assert.equal((await invite({ login: " kim@EXAMPLE.com" })).json.code, "login_taken");
		assert.equal((await ask("POST", `/${first.json.id}/end`, {})).status, 200);
		assert.equal((await invite({ login })).status, 201);
		const gone = (await ask("GET", "")).json.items.find(({ id }: { id: string }) => id === first.json.id);
		assert.deepEqual([gone.state, gone.login, gone.name], ["ended", "", ""]);
		assert.equal((await ask("POST", `/${first.json.id}/roles`, { roles: ["admin"] })).status, 404);
	});

	it("has so many who have not left; who leaves makes room for another", async () => {
		const { tenantId } = await api.addTenant();
		const { token } = await api.addPerson(tenantId, ["admin"]);
		const about = { tenantId, roles: ["auditor"], createdAt: 1, createdBy: "admin", passkeys: [], recoveryMacs: [] };
		const given = Array.from({ length: limits.peoplePerTenantMax - 1 }, (_, index) => ({
			...{ ...about, _id: api.ids.random("person"), sessionsFrom: 1, revision: 0 },
			...(index === 0 && { endedAt: 2 }),
		}));
		await api.connection.collection("people").insertMany(given as never[]);
		const add = () => invite({}, token);
		const made = await add();
		assert.equal(made.status, 201, made.text);
		assert.equal((await add()).json.code, "too_many_records");
		assert.equal((await ask("POST", `/${made.json.id}/end`, {}, token)).status, 200);
		assert.equal((await add()).status, 201);
	});

	describe("who leaves", () => {
		/** Somebody who has made a key, was shown the text of another's, and made one more by that; and the keys' ids. */
		async function leaving() {
			const { personId, token } = await api.addPerson(tenantId, ["admin"]);
			const make = async (by: string) => {
				const body = { name: "k", roles: ["sender", "admin"] };
				const { json, text } = await api.request(by, "POST", "/v1/api-keys", body);
				assert.ok(json.id, text);
				return json as { id: string; apiKey: string };
			};
			const foreign = await make(admin.token);
			const made = await make(token);
			const past = { createdBy: personId, expiresAt: api.clock() - 1 };
			const { keyId: ended } = await api.addKey(tenantId, ["sender"], past);
			const shown = await make(admin.token);
			const renewed = (await api.request(token, "POST", `/v1/api-keys/${shown.id}/rotate`, {})).json;
			const byIt = await make(renewed.apiKey);
			const end = async (body: object = {}) => (await ask("POST", `/${personId}/end`, body)).json;
			return { personId, end, theirs: [made.id, shown.id, byIt.id].sort(), others: [foreign.id, ended] };
		}
		const revoked = async (ids: string[]) => {
			const keys = await Promise.all(ids.map((id) => api.store.apiKeys.find(id)));
			return keys.map((key) => key?.revokedAt !== undefined);
		};

		it("leaves no key behind unsaid: the open ones that they made or were shown are told", async () => {
			const { end, theirs } = await leaving();
			assert.deepEqual(await end(), { liveKeys: theirs, revokedKeys: [] });
			assert.deepEqual(await revoked(theirs), [false, false, false]);
			assert.deepEqual((await end()).liveKeys, theirs, "also to whoever lost the answer");
		});

		it("takes them along where that is asked, each revoked as any other is, before or after", async () => {
			const { personId, end, theirs, others } = await leaving();
			assert.deepEqual(await end({ revokeKeys: true }), { liveKeys: [], revokedKeys: theirs });
			assert.deepEqual(await revoked([...theirs, ...others]), [true, true, true, false, false]);
			for (const id of theirs) {
				const acts = (await api.entries(id)).filter(({ about, type }) => about === id && type === "api_key_revoked");
				assert.deepEqual(
					acts.map(({ by }) => by),
					[admin.personId],
				);
			}
			const left = (await api.entries(personId)).filter(
				({ about, type }) => about === personId && type === "person_ended",
			);
			assert.equal(left.length, 1);
			const later = await leaving();
			await later.end();
			assert.deepEqual((await later.end({ revokeKeys: true })).revokedKeys, later.theirs);
		});
	});

	it("shows whoever has just left, and a key that was revoked with them, no key that nobody was told of", async () => {
		const body = { name: "k", roles: ["sender", "admin"] };
		const make = (by: string) => api.request(by, "POST", "/v1/api-keys", body);
		const renew = (by: string, id: string) => api.request(by, "POST", `/v1/api-keys/${id}/rotate`, {});
		const foreign = (await make(admin.token)).json.id as string;
		const { personId, token } = await api.addPerson(tenantId, ["admin"]);
		const own = (await make(token)).json as { id: string; apiKey: string };
		// What each process knows of them for half a second.
		for (const by of [token, own.apiKey]) assert.equal((await api.request(by, "GET", "/v1/api-keys")).status, 200);
		const ended = (await ask("POST", `/${personId}/end`, { revokeKeys: true })).json;
		assert.deepEqual(ended, { liveKeys: [], revokedKeys: [own.id] });
		for (const by of [token, own.apiKey]) {
			for (const { status, text } of [await make(by), await renew(by, foreign)]) {
				assert.equal(status, 401, text);
				assert.ok(!text.includes("lethe_key_"));
			}
		}
		const keys = await api.store.apiKeys.findByTenant(tenantId);
		const theirs = keys.filter(({ createdBy }) => [personId, own.id].includes(createdBy));
		assert.ok(theirs.every(({ revokedAt }) => revokedAt !== undefined));
	});

	it("lets whoever has just left, or has to enrol anew, let nobody in and change nobody, though it is not known everywhere yet", async () => {
		const endings = [
			(id: string) => api.people.end("admin", tenantId, id),
			(id: string) => api.people.renewEnrolment("admin", tenantId, id),
		];
		for (const end of endings) {
			const [{ personId, token }, other] = [
				await api.addPerson(tenantId, ["admin"]),
				await api.addPerson(tenantId, ["auditor"]),
			];
			const login = `late${sequence++}@example.com`;
			// What each process knows of them for half a second.
			assert.equal((await ask("GET", "", undefined, token)).status, 200);
			await end(personId);
			const before = await api.store.people.find(other.personId);
			for (const { status, text } of [
				await invite({ login }, token),
				await ask("POST", `/${other.personId}/roles`, { roles: ["admin"] }, token),
				await ask("POST", `/${other.personId}/enrolment`, {}, token),
				await ask("POST", `/${other.personId}/confirm`, { enrolledAt: new Date(0).toISOString() }, token),
				await ask("POST", `/${other.personId}/end`, {}, token),
			]) {
				assert.equal(status, 401, text);
				assert.ok(!text.includes("enrol_"));
			}
			assert.deepEqual(await api.store.people.find(other.personId), before);
			const invited = (await api.store.people.findByTenant(tenantId)).filter(({ createdBy }) => createdBy === personId);
			assert.ok(invited.every(({ endedAt }) => endedAt !== undefined));
			assert.equal((await invite({ login })).status, 201, "and has taken no name");
		}
	});

	it("leaves one of two administrators who end each other, or take that role from each other, at the same time", async () => {
		for (const [path, body] of [
			["end", {}],
			["roles", { roles: ["auditor"] }],
			["enrolment", {}],
		] as const) {
			for (let round = 0; round < 8; round++) {
				const { tenantId: of } = await api.addTenant();
				const both = await Promise.all([api.addPerson(of, ["admin"]), api.addPerson(of, ["admin"])]);
				const answers = await Promise.all(
					both.map(({ token }, index) => ask("POST", `/${both[1 - index]?.personId}/${path}`, body, token)),
				);
				for (const { status, text } of answers) assert.ok([200, 401, 403, 409].includes(status), text);
				const admins = (await api.store.people.findByTenant(of)).filter(
					(person) => person.endedAt === undefined && rolesInForce(person).includes("admin"),
				);
				assert.ok(admins.length > 0, path);
				assert.ok(
					admins.every(({ actedOn }) => actedOn === undefined),
					"and bears no mark",
				);
			}
		}
	});

	it("lets an administrator be ended again once who was about to has died", async () => {
		const { tenantId: of } = await api.addTenant();
		const [one, other] = await Promise.all([api.addPerson(of, ["admin"]), api.addPerson(of, ["admin"])]);
		const mark = { by: "usr_gone", at: api.clock() };
		await api.store.people.change(other.personId, (person) => ({ ...person, actedOn: mark }));
		const end = () => ask("POST", `/${other.personId}/end`, {}, one.token);
		assert.equal((await end()).json.code, "person_acted_on");
		api.time.offsetMs += limits.personActMs;
		assert.equal((await end()).status, 200);
	});

	it("of two invitations of one name at once one is made", async () => {
		const answers = await Promise.all([1, 2, 3].map(() => invite({ login: "twice@example.com" })));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
	});

	it("gives nobody by the hand of who invited them what two people are needed for", async () => {
		const made = (await invite({ roles: ["admin", "approver", "compliance", "auditor"] })).json;
		const { id } = made;
		const other = await api.addPerson(tenantId, ["admin"]);
		const enrolledAt = async () => (await ask("GET", `/${id}`)).json.enrolledAt as string | undefined;
		const confirm = async (by: string, at?: string) =>
			ask("POST", `/${id}/confirm`, { enrolledAt: at ?? (await enrolledAt()) ?? new Date(0).toISOString() }, by);
		assert.deepEqual([(await confirm(other.token)).json.code], ["not_enrolled"]);
		// Whoever holds the token has enrolled with it, be it the administrator.
		const token = await enrolled(made.enrolmentToken);
		const session = async () => (await api.request(token, "GET", "/v1/session")).json.roles;
		assert.deepEqual(await session(), ["auditor"]);
		assert.equal((await ask("POST", "", { login: "x", roles: ["auditor"] }, token)).json.code, "forbidden");
		for (const by of [admin.token, token]) assert.equal((await confirm(by)).status, 403);
		const key = (await api.addKey(tenantId, ["admin"])).key;
		assert.equal((await confirm(key)).json.code, "person_required");
		const stranger = await api.addPerson((await api.addTenant()).tenantId, ["admin"]);
		assert.equal((await confirm(stranger.token)).status, 404);
		assert.deepEqual(await session(), ["auditor"]);
		const confirmed = await confirm(other.token);
		assert.deepEqual([confirmed.status, confirmed.json.confirmedBy], [200, other.personId]);
		assert.deepEqual(confirmed.json.rolesInForce, ["admin", "approver", "compliance", "auditor"]);
		await until(async () => (await session()).includes("approver"));
		const acts = (await api.entries(id)).filter(({ about, code }) => about === id && code === "confirmed");
		assert.deepEqual(
			acts.map(({ by }) => by),
			[other.personId],
		);
		// A new token is a new chance to enrol in their place: nobody vouches for them then.
		const renewed = await ask("POST", `/${id}/enrolment`, {}, other.token);
		const again = await enrolled(renewed.json.enrolmentToken);
		assert.deepEqual((await api.request(again, "GET", "/v1/session")).json.roles, ["auditor"]);
		assert.equal((await confirm(other.token)).json.code, "self_approval");
		assert.equal((await confirm(admin.token)).status, 200);
	});

	it("vouches for who enrolled when they say they did, and not for who has enrolled in their place since", async () => {
		const made = (await invite({ roles: ["compliance"] })).json;
		const other = await api.addPerson(tenantId, ["admin"]);
		await enrolled(made.enrolmentToken);
		const told = (await ask("GET", `/${made.id}`)).json.enrolledAt as string;
		const confirm = (enrolledAt?: string) => ask("POST", `/${made.id}/confirm`, { enrolledAt }, other.token);
		assert.equal((await confirm()).json.code, "invalid_request", "nobody vouches for whoever it may be");
		// While the other asks, who invited them has them enrol anew, and does it for them.
		const renewed = (await ask("POST", `/${made.id}/enrolment`, {})).json;
		assert.equal((await confirm(told)).json.code, "not_enrolled");
		api.time.offsetMs += 1_000;
		await enrolled(renewed.enrolmentToken);
		const refused = await confirm(told);
		assert.deepEqual([refused.status, refused.json.code], [409, "enrolment_changed"]);
		assert.deepEqual((await ask("GET", `/${made.id}`)).json.rolesInForce, []);
	});

	it("tells of an approver for whom nobody has vouched that no role of theirs counts", async () => {
		const { json } = await invite({ roles: ["approver"] });
		const token = await enrolled(json.enrolmentToken);
		assert.deepEqual((await ask("GET", `/${json.id}`)).json.rolesInForce, []);
		assert.deepEqual((await api.request(token, "GET", "/v1/session")).json.roles, []);
	});

	it("is for no key, and for nobody about themselves", async () => {
		const { key } = await api.addKey(tenantId, ["admin"]);
		assert.equal((await ask("POST", "", { login: "x", roles: ["approver"] }, key)).json.code, "person_required");
		for (const path of ["/roles", "/enrolment", "/confirm", "/end"]) {
			const bodies: Record<string, object> = {
				"/roles": { roles: ["admin", "approver"] },
				"/confirm": { enrolledAt: new Date(api.clock()).toISOString() },
			};
			const body = bodies[path] ?? {};
			const refused = await ask("POST", `/${admin.personId}${path}`, body);
			assert.deepEqual([refused.status, refused.json.code], [403, "self_approval"], path);
		}
		assert.deepEqual((await api.store.people.find(admin.personId))?.roles, ["admin"]);
	});
});
