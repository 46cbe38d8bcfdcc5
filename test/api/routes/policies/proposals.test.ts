// A change of policy over HTTP: drafted, checked, simulated, approved by somebody else, published; and all that is refused.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createSimulate } from "../../../../activities/simulate.ts";
import { setGovernance } from "../../../../cli/administer.ts";
import { limits } from "../../../../domain/limits.ts";
import { createPublish } from "../../../../policies/publish.ts";
import { nextVersion } from "../../../../policies/published.ts";
import { editedText, openStored, shippedVersion, shorter } from "../../../harness/policies.ts";
import { createTestApi, type TestApi } from "../../harness.ts";

const shipped = shippedVersion("defaults");
const changed = nextVersion(shipped);
const why = "Content is not needed for longer than a week";

describe("/v1/policy-proposals", () => {
	let api: TestApi;
	let author: string;
	let approver: string;
	let authorId: string;
	let approverId: string;

	async function start(): Promise<void> {
		api = await createTestApi();
		const tenant = await api.addTenant({ governsPolicies: true, roles: ["compliance"] });
		const second = await api.addPerson(tenant.tenantId, ["approver"]);
		[author, authorId, approver, approverId] = [tenant.key, tenant.keyId, second.token, second.personId];
	}
	before(start);
	after(() => api.close());
	const tenantOf = async (keyId: string) =>
		(await api.connection.collection("apiKeys").findOne({ _id: keyId as never }))?.tenantId as string;
	const fresh = () =>
		beforeEach(async () => {
			await api.close();
			await start();
		});

	const propose = (body: object, key = author) => api.request(key, "POST", "/v1/policy-proposals", { why, ...body });
	const step = (id: string, name: string, key = author, body?: object) =>
		api.request(key, "POST", `/v1/policy-proposals/${id}/${name}`, body);
	const read = async (id: string) => (await api.request(author, "GET", `/v1/policy-proposals/${id}`)).json;

	/** What the worker does once a simulation has been asked for. */
	async function work(id: string): Promise<void> {
		const monotonic = () => performance.now();
		const { simulatePages } = createSimulate({ ...api, monotonic, policies: api.stored as never });
		await simulatePages(id);
	}

	async function simulated(body: object = { pack: "defaults", changes: shorter }): Promise<string> {
		const { json } = await propose(body);
		await step(json.id, "check");
		await step(json.id, "simulate");
		await work(json.id);
		return json.id;
	}

	async function approved(body: object = { pack: "defaults", changes: shorter }): Promise<string> {
		const { json } = await propose(body);
		assert.equal((await step(json.id, "check")).status, 200);
		assert.equal((await step(json.id, "simulate")).status, 200);
		await work(json.id);
		assert.equal((await step(json.id, "approve", approver)).status, 200);
		return json.id;
	}

	describe("from draft to publication", () => {
		fresh();

		it("says what it changes, in words, and leads to a version that is in force from its date", async () => {
			const created = await propose({ pack: "defaults", changes: shorter });
			assert.equal(created.status, 201);
			assert.deepEqual([created.json.state, created.json.version, created.json.base], ["draft", changed, shipped]);
			const sentences = created.json.changes.map(({ sentence }: { sentence: string }) => sentence);
			assert.ok(sentences.includes("defaults.retention: content is kept at most 30 days → at most 7 days"));
			const { id } = created.json;

			const checked = await step(id, "check");
			assert.equal(checked.json.state, "checked");
			assert.ok(checked.json.check.cases > 5);

			const simulating = await step(id, "simulate");
			assert.deepEqual([simulating.json.state, simulating.json.simulation.state], ["checked", "running"]);
			assert.deepEqual(api.seen.simulated, [id]);
			assert.equal((await step(id, "approve", approver)).json.code, "proposal_state");
			await work(id);
			assert.deepEqual([(await read(id)).state, (await read(id)).simulation.state], ["simulated", "done"]);

			const agreed = await step(id, "approve", approver);
			assert.deepEqual([agreed.json.state, agreed.json.approval.by], ["approved", approverId]);
			const asked = api.clock();
			const published = await step(id, "publish");
			assert.equal(published.json.state, "published");
			assert.ok(Date.parse(published.json.effectiveFrom) >= asked + limits.policyNoticeMs);

			const list = async () =>
				(await api.request(author, "GET", "/v1/policies")).json.items
					.filter(({ pack }: { pack: string }) => pack === "defaults")
					.map(({ version, state }: { version: string; state: string }) => `${version} ${state}`);
			const past = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"].map((version) => `${version} past`);
			assert.deepEqual(await list(), [...past, `${shipped} in_force`, `${changed} coming`]);
			api.time.offsetMs += limits.policyNoticeMs + 1;
			assert.deepEqual(await list(), [...past, `${shipped} past`, `${changed} in_force`]);
			const text = await api.request(author, "GET", "/v1/policies/defaults/in-force");
			assert.match(String(text.headers["content-type"]), /yaml/);
			assert.equal(text.text, (await read(id)).text);
			assert.deepEqual(
				(await read(id)).history.map(({ state, by }: { state: string; by: string }) => [state, by]),
				[
					["draft", authorId],
					["checked", authorId],
					["simulated", authorId],
					["approved", approverId],
					["published", authorId],
				],
			);
		});

		it("an approval is a person's, and says so wherever it shows", async () => {
			const id = await approved();
			await step(id, "publish");
			const shown = [
				(await read(id)).approval,
				(await api.request(author, "GET", "/v1/policy-proposals")).json.items[0].approval,
				(await api.request(author, "GET", "/v1/policies")).json.items.find(
					({ proposalId }: { proposalId?: string }) => proposalId === id,
				).approval,
			];
			for (const { verified, note, by } of shown) {
				assert.deepEqual([verified, note, by], [true, undefined, approverId]);
			}
		});

		it("who approved is told to those who govern; others learn that a person did, and when", async () => {
			const id = await approved();
			await step(id, "publish");
			const other = await api.addTenant();
			const { json, text } = await api.request(other.key, "GET", "/v1/policies");
			const { approval } = json.items.find(({ proposalId }: { proposalId?: string }) => proposalId === id);
			assert.deepEqual([approval.verified, typeof approval.at, text.includes(approverId)], [true, "string", false]);
		});

		it("begins at the date of its text, or at a later one that is asked for, never at once", async () => {
			const effectiveFrom = new Date(api.clock() + 5 * 24 * 3600_000).toISOString();
			const dated = await approved({ pack: "defaults", changes: shorter, effectiveFrom });
			assert.equal((await step(dated, "publish", author, { from: "2026-01-01T00:00:00Z" })).status, 200);
			assert.equal((await read(dated)).effectiveFrom.slice(0, 19), effectiveFrom.slice(0, 19));
			const from = new Date(api.clock() + 9 * 24 * 3600_000).toISOString();
			const later = await approved({ text: editedText("otp", "1.9.0", () => undefined) });
			await step(later, "publish", author, { from });
			assert.equal((await read(later)).effectiveFrom, from);
		});

		it("begins at no time of a year that no answer can say", async () => {
			const time = "9999-12-31T23:59:59-23:59";
			const drafted = await propose({ pack: "defaults", changes: shorter, effectiveFrom: time });
			assert.deepEqual([drafted.status, drafted.json.code], [400, "invalid_request"]);
			const published = await step(await approved(), "publish", author, { from: time });
			assert.deepEqual([published.status, published.json.errors?.[0].pointer], [400, "/from"]);
		});

		it("a version that would end before it can begin is refused, and is published for an earlier day", async () => {
			const at = (days: number) => new Date(api.clock() + days * 24 * 3600_000).toISOString();
			const id = await approved({
				text: editedText("otp", "1.9.0", (document) => Object.assign(document, { effectiveTo: at(3) })),
			});
			const { status, json } = await step(id, "publish", author, { from: at(4) });
			assert.deepEqual([status, json.code], [422, "policy_refused"]);
			assert.match(json.errors[0].detail, /^line \d+: effectiveTo: .* is over before it can begin.*earlier day/);
			assert.equal((await step(id, "publish", author, { from: at(2) })).status, 200);
		});

		it("what is urgent begins before a version that was published for later, and a third takes that one's place", async () => {
			const begin = Date.parse("2027-03-01T00:00:00Z");
			const at = (ms: number) => ({ effectiveFrom: new Date(ms).toISOString() });
			const publish = async (body: object) => {
				const id = await approved(body);
				const { status } = await step(id, "publish");
				return [status, (await read(id)).version];
			};
			const days = (value: string) => ({ pack: "defaults", changes: shorter.map((change) => ({ ...change, value })) });
			const [major, minor] = shipped.split(".").map(Number);
			const later = `${major}.${Number(minor) + 1}.0`;
			assert.deepEqual(await publish({ ...days("P20D"), ...at(begin) }), [200, later]);
			assert.deepEqual(await publish(days("P7D")), [200, changed]);
			// In place of the one for later, which is in force for a second only.
			assert.deepEqual(await publish({ ...days("P8D"), ...at(begin + 1_000) }), [
				200,
				`${major}.${Number(minor) + 2}.0`,
			]);
			api.time.offsetMs += limits.policyNoticeMs + 1;
			const urgent = nextVersion(changed);
			assert.deepEqual(await publish({ ...days("P6D"), ...at(Date.parse("2020-01-01T00:00:00Z")) }), [200, urgent]);
		});

		it("a rollback is a new version with the text of before", async () => {
			await step(await approved(), "publish");
			api.time.offsetMs += limits.policyNoticeMs + 1;
			const back = shorter.map((change) => ({ ...change, value: "P30D" }));
			const id = await approved({ pack: "defaults", changes: back });
			assert.deepEqual([(await read(id)).version, (await read(id)).base], [nextVersion(changed), changed]);
			assert.equal((await step(id, "publish")).status, 200);
		});

		it("are listed page by page, all or those in one state", async () => {
			const ids: string[] = [];
			for (let count = 0; count < 3; count++)
				ids.unshift((await propose({ pack: "defaults", changes: shorter })).json.id);
			await step(ids[1] as string, "withdraw");
			const page = async (query: string) => (await api.request(author, "GET", `/v1/policy-proposals?${query}`)).json;
			const idsOf = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);
			const first = await page("limit=2");
			const second = await page(`limit=2&cursor=${first.next}`);
			assert.deepEqual([...idsOf(first), ...idsOf(second)], idsOf(await page("limit=3")));
			assert.deepEqual([idsOf(first).length, idsOf(second).length, second.next], [2, 1, undefined]);
			assert.deepEqual(new Set([...idsOf(first), ...idsOf(second)]), new Set(ids));
			const drafts = await page("limit=1&state=draft");
			const next = await page(`limit=1&state=draft&cursor=${drafts.next}`);
			assert.deepEqual(new Set([...idsOf(drafts), ...idsOf(next)]), new Set([ids[0], ids[2]]));
			assert.equal(next.next, undefined);
		});

		it("may be withdrawn until it is published, and then no step leads on", async () => {
			const id = await approved();
			assert.equal((await step(id, "withdraw")).json.state, "withdrawn");
			for (const name of ["check", "simulate", "publish", "withdraw"]) {
				const { status, json } = await step(id, name);
				assert.deepEqual([status, json.code, json.state], [409, "proposal_state", "withdrawn"], name);
			}
			assert.equal((await step(id, "approve", approver)).json.code, "proposal_state");
			const published = await approved();
			await step(published, "publish");
			assert.equal((await step(published, "withdraw")).json.code, "proposal_state");
		});
	});

	describe("what is refused, with the line and the mend", () => {
		fresh();
		const refusal = async (text: string) => {
			const created = await propose({ text });
			const { status, json } = created.status === 201 ? await step(created.json.id, "check") : created;
			if (created.status === 201) assert.equal((await read(created.json.id)).state, "draft");
			return { status, code: json.code, details: json.errors?.map(({ detail }: { detail: string }) => detail) };
		};
		const base = () => editedText("defaults", "1.9.0", () => undefined);
		const lineOf = (text: string, part: string) => text.slice(0, text.indexOf(part)).split("\n").length;

		it("a mistyped effect", async () => {
			const text = base().replace("    deny:\n", "    denny:\n");
			const { status, code, details } = await refusal(text);
			assert.deepEqual([status, code], [422, "policy_refused"]);
			assert.match(details[0], new RegExp(`^line ${lineOf(text, "denny")}: .*denny.*Did you mean deny\\?`));
		});

		it("an unknown field", async () => {
			const text = base().replace("title:", "tittle: x\ntitle:");
			const { code, details } = await refusal(text);
			assert.equal(code, "policy_refused");
			assert.match(details[0], new RegExp(`^line ${lineOf(text, "tittle")}: .*tittle.*Did you mean title\\?`));
		});

		it("a version that is there already, and one that overlaps another", async () => {
			const twice = await refusal(editedText("defaults", shipped, () => undefined));
			assert.equal(twice.code, "policy_refused");
			assert.match(twice.details[0], /^line 2: .*there twice.*Raise the version/);
			const overlapping = await refusal(
				editedText("defaults", "1.9.0", (document) => {
					document.effectiveFrom = "2000-01-01T00:00:00Z";
				}),
			);
			assert.match(overlapping.details[0], /^line \d+: .*overlaps 1\.0\.0.*Let it begin after/);
		});

		it("a pack whose own cases fail, though they play before it begins", async () => {
			const evaluatedAt = "2026-01-01T00:00:00Z";
			const text = editedText("defaults", "1.9.0", ({ cases }) => {
				const facts = {
					recipientCountry: "DE",
					category: "transactional",
					context: { lawfulBasis: "contract", evaluatedAt },
				};
				cases.push({ name: "a code of my own", facts, expect: { allowed: true, contentRetentionMax: "P3D" } });
			});
			const { code, details } = await refusal(text);
			assert.equal(code, "policy_refused");
			assert.match(
				details[0],
				new RegExp(`^line ${lineOf(text, "a code of my own")}: case .*contentRetentionMax is P30D`),
			);
		});

		it("retention that leaves no interval", async () => {
			const text = editedText("defaults", "1.9.0", ({ rules }) => {
				const [first] = rules as { retention: { object: string; min: string; max: string }[] }[];
				for (const term of first?.retention ?? []) if (term.object === "content") term.min = "P90D";
			});
			const { code, details } = await refusal(text);
			assert.equal(code, "policy_refused");
			assert.match(details[0], /^line \d+: .*content/);
		});

		it("what is no pack, and a change that finds no place", async () => {
			for (const text of ["id: [", "just words", "- a\n- b", "id: defaults"]) {
				const { status, json } = await propose({ text });
				assert.deepEqual([status, json.code], [422, "policy_refused"], text);
				assert.match(json.errors[0].detail, /^line \d+: .*\. \S/);
			}
			const lost = await propose({ pack: "defaults", changes: [{ rule: "defaults.retenton", path: "x", value: 1 }] });
			assert.deepEqual([lost.status, lost.json.errors[0].pointer], [400, "/changes/0"]);
			const nowhere = { rule: "defaults.retention", path: "retention.contents.max", value: "P1D" };
			assert.equal((await propose({ pack: "defaults", changes: [nowhere] })).json.code, "invalid_request");
			const structure = { rule: "defaults.retention", path: "retention", value: "P1D" };
			assert.equal((await propose({ pack: "defaults", changes: [structure] })).json.code, "invalid_request");
			assert.equal((await propose({ pack: "nowhere", changes: shorter })).json.errors[0].pointer, "/pack");
		});

		it("reasons that name a person's number or address", async () => {
			for (const text of ["call +49 151 1234 5678 about it", "as asked by jo@example.org"]) {
				const { status } = await propose({ pack: "defaults", changes: shorter, why: text });
				assert.equal(status, 400, text);
			}
		});
	});

	describe("who may", () => {
		fresh();

		it("no key approves, whatever its roles, and no person whose second factor is old", async () => {
			const id = await simulated();
			const { key } = await api.addKey(await tenantOf(authorId), ["approver"]);
			const refused = await step(id, "approve", key);
			assert.deepEqual([refused.status, refused.json.code], [403, "person_required"]);
			api.time.offsetMs += api.sessionLimits.freshMfaMs + 1;
			assert.equal((await step(id, "approve", approver)).json.code, "fresh_mfa_required");
			api.time.offsetMs = 0;
			assert.equal((await read(id)).state, "simulated");
			assert.equal((await step(id, "approve", approver)).status, 200);
		});

		it("nobody approves a proposal of their own, whatever roles they have", async () => {
			const both = await api.addPerson(await tenantOf(authorId), ["compliance", "approver"]);
			const { json } = await propose({ pack: "defaults", changes: shorter }, both.token);
			await step(json.id, "check", both.token);
			await step(json.id, "simulate", both.token);
			await work(json.id);
			const own = await step(json.id, "approve", both.token);
			assert.deepEqual([own.status, own.json.code], [403, "self_approval"]);
			assert.equal((await read(json.id)).state, "simulated");
			assert.equal((await step(json.id, "approve", approver)).status, 200);
		});

		it("nor by the hand of a key that they made, or were shown the text of", async () => {
			const tenantId = await tenantOf(authorId);
			const both = await api.addPerson(tenantId, ["admin", "approver", "compliance"]);
			const other = (await api.addPerson(tenantId, ["admin", "compliance"])).token;
			const keyOf = async (token: string, path: string, body: object = {}) => {
				const { json, text } = await api.request(token, "POST", `/v1/api-keys${path}`, body);
				assert.ok(json.apiKey, text);
				return json as { id: string; apiKey: string };
			};
			const made = await keyOf(both.token, "", { name: "k", roles: ["compliance", "admin"] });
			const madeByIt = await keyOf(made.apiKey, "", { name: "k", roles: ["compliance"] });
			const theirs = await keyOf(other, "", { name: "k", roles: ["compliance"] });
			const ready = async ({ apiKey }: { apiKey: string }) => {
				const { json } = await propose({ pack: "defaults", changes: shorter }, apiKey);
				for (const name of ["check", "simulate"]) await step(json.id, name, apiKey);
				await work(json.id);
				return json.id as string;
			};
			const independent = await ready(theirs);
			for (const key of [made, madeByIt, await keyOf(both.token, `/${theirs.id}/rotate`)]) {
				const id = await ready(key);
				const own = await step(id, "approve", both.token);
				assert.deepEqual([own.status, own.json.code], [403, "self_approval"]);
				assert.equal((await read(id)).state, "simulated");
			}
			// Whose key it was is known by now: what it proposed before might have been theirs as well.
			assert.equal((await step(independent, "approve", both.token)).json.code, "self_approval");
			assert.equal((await step(independent, "approve", approver)).status, 200);
		});

		it("each step asks for its role", async () => {
			const id = await approved();
			const sender = (await api.addKey(await tenantOf(authorId), ["sender", "operator", "auditor"])).key;
			for (const name of ["check", "simulate", "approve", "publish", "withdraw"]) {
				assert.equal((await step(id, name, sender)).json.code, "forbidden", name);
			}
			for (const name of ["check", "simulate"]) assert.equal((await step(id, name, approver)).json.code, "forbidden");
			assert.equal((await step(id, "approve", author)).json.code, "forbidden");
			assert.equal((await propose({ pack: "defaults", changes: shorter }, approver)).json.code, "forbidden");
			assert.equal((await api.request(sender, "GET", `/v1/policy-proposals/${id}`)).status, 200, "auditors read");
		});

		it("an administrator lets a tenant that is there govern policies, and takes it back", async () => {
			const { key, tenantId } = await api.addTenant({ roles: ["compliance"] });
			const list = async () => {
				// What is known of a tenant is read anew after some seconds.
				api.time.offsetMs += 6_000;
				return (await api.request(key, "GET", "/v1/policy-proposals")).status;
			};
			assert.equal(await list(), 403);
			const before = await api.store.tenants.find(tenantId);
			await setGovernance(api, tenantId, true);
			assert.equal(await list(), 200);
			await setGovernance(api, tenantId, false);
			assert.equal(await list(), 403);
			assert.deepEqual(await api.store.tenants.find(tenantId), { ...before, governsPolicies: false });
			await assert.rejects(setGovernance(api, "ten_nobody", true), /there is no tenant ten_nobody/);
		});

		it("a tenant that does not govern policies sees no proposal and makes none, but sees what is in force", async () => {
			const id = await approved();
			const roles = ["compliance", "approver", "admin", "auditor"];
			const { key, tenantId } = await api.addTenant({ roles });
			const stranger = (await api.addPerson(tenantId, ["approver"])).token;
			const answers = await Promise.all([
				propose({ pack: "defaults", changes: shorter }, key),
				api.request(key, "GET", "/v1/policy-proposals"),
				api.request(key, "GET", `/v1/policy-proposals/${id}`),
				api.request(key, "GET", "/v1/policy-proposals/prp_nothing"),
				step(id, "approve", stranger),
				step(id, "publish", key),
				step(id, "withdraw", key),
			]);
			for (const { status, json } of answers) assert.deepEqual([status, json.code], [403, "policies_not_governed"]);
			const pass = {
				_id: "rtm_a",
				sequence: 1,
				fingerprint: "",
				inForceFrom: 1,
				cursor: "",
				total: 7,
				counts: {},
				startedAt: 1,
			};
			await api.store.retimings.insert({ ...pass, state: "done" });
			const seen = await api.request(key, "GET", "/v1/policies");
			assert.deepEqual([seen.status, seen.json.retiming], [200, undefined]);
			assert.equal((await api.request(author, "GET", "/v1/policies")).json.retiming.total, 7);
		});
	});

	describe("at the same time", () => {
		fresh();

		it("of two approvals one wins", async () => {
			const id = await simulated();
			const other = (await api.addPerson(await tenantOf(authorId), ["approver"])).token;
			const answers = await Promise.all([approver, other, approver, other].map((key) => step(id, "approve", key)));
			assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
			const { history } = await read(id);
			assert.equal(history.filter(({ state }: { state: string }) => state === "approved").length, 1);
		});

		it("of two publications of one proposal one wins, and there is one revision", async () => {
			const id = await approved();
			const answers = await Promise.all(Array.from({ length: 4 }, () => step(id, "publish")));
			assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
			assert.equal((await api.store.policyVersions.all()).length, 1);
		});

		it("of two proposals for the same version one is published, and the other is told why not", async () => {
			const [one, other] = [await approved(), await approved()];
			const answers = await Promise.all([step(one, "publish"), step(other, "publish")]);
			assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 422]);
			const refused = answers.find(({ status }) => status === 422)?.json;
			assert.match(refused.errors[0].detail, /there twice.*Raise the version/);
			assert.equal((await api.store.policyVersions.all()).length, 1);
		});

		it("proposals for different packs are all published, each as a revision of its own", async () => {
			const packs = ["defaults", "otp", "pci", "de"];
			const ids = [];
			// Approved before any is published: afterwards each would have to be simulated again.
			for (const pack of packs) ids.push(await approved({ text: editedText(pack, "1.9.0", () => undefined) }));
			const answers = await Promise.all(ids.map((id) => step(id, "publish")));
			assert.deepEqual(
				answers.map(({ status }) => status),
				[200, 200, 200, 200],
			);
			assert.deepEqual(
				(await api.store.policyVersions.all()).map(({ revision }) => revision),
				[1, 2, 3, 4],
			);
		});

		it("a simulation that other packs have overtaken has to be repeated", async () => {
			const stale = await simulated({ text: editedText("otp", "1.9.0", () => undefined) });
			await step(await approved(), "publish");
			const { status, json } = await step(stale, "approve", approver);
			assert.deepEqual([status, json.code], [409, "simulation_stale"]);
			await step(stale, "simulate");
			await work(stale);
			assert.equal((await step(stale, "approve", approver)).status, 200);
		});
	});

	describe("a publisher that dies", () => {
		fresh();
		const publishing = (versions: object) =>
			createPublish({
				...api,
				policies: api.stored,
				store: { ...api.store, policyVersions: { ...api.store.policyVersions, ...versions } },
				runs: { simulateSoon: () => undefined },
			});

		it("before the insert: the proposal is not withdrawn meanwhile, and another takes over", async () => {
			const id = await approved();
			const dead = publishing({ insert: () => Promise.reject(new Error("died")) });
			await assert.rejects(dead.publish(id, authorId), /died/);
			assert.equal((await step(id, "withdraw")).json.state, "publishing");
			assert.equal((await step(id, "publish")).json.code, "proposal_state");
			api.time.offsetMs += limits.publishPatienceMs;
			assert.equal((await step(id, "publish")).status, 200);
		});

		it("after the insert: it is published, and the sweep writes that down", async () => {
			const id = await approved();
			const { all, insert } = api.store.policyVersions;
			let inserted = false;
			const dead = publishing({
				async insert(version: Parameters<typeof insert>[0]) {
					inserted = await insert(version);
					throw new Error("died");
				},
			});
			await assert.rejects(dead.publish(id, authorId), /died/);
			assert.ok(inserted);
			const [due] = await api.store.proposals.findDue(api.clock() + limits.publishPatienceMs, 10);
			assert.equal(due?._id, id);
			await publishing({}).settle(due);
			assert.equal((await read(id)).state, "published");
			assert.equal((await all()).length, 1);
		});

		it("only in appearance: what was given up and withdrawn meanwhile does not come into force", async () => {
			const id = await approved();
			const { all, insert } = api.store.policyVersions;
			const withdraw = async (proposalId: string) => {
				api.time.offsetMs += limits.publishPatienceMs;
				for (const due of await api.store.proposals.findDue(api.clock(), 10)) await publishing({}).settle(due);
				assert.equal((await step(proposalId, "withdraw")).json.state, "withdrawn");
			};
			let stalls = true;
			const slow = publishing({
				all: async () => {
					if (stalls) await withdraw(id);
					stalls = false;
					return all();
				},
			});
			await assert.rejects(slow.publish(id, authorId), { code: "proposal_state" });
			assert.ok((await all()).every(({ proposalId }) => proposalId !== id));
			assert.equal((await api.store.proposals.find(id))?.state, "withdrawn");

			const late = await approved();
			const slower = publishing({
				insert: async (version: Parameters<typeof insert>[0]) => {
					await withdraw(late);
					return insert(version);
				},
			});
			assert.equal((await slower.publish(late, authorId)).state, "published", "it is in force, and says so");
		});

		it("before the insert, and nobody takes over: the sweep gives it up, and it may be withdrawn", async () => {
			const id = await approved();
			const dead = publishing({ insert: () => Promise.reject(new Error("died")) });
			await assert.rejects(dead.publish(id, authorId), /died/);
			const [due] = await api.store.proposals.findDue(api.clock() + limits.publishPatienceMs, 10);
			assert.ok(due);
			await publishing({}).settle(due);
			assert.equal((await step(id, "withdraw")).json.state, "withdrawn");
		});
	});

	describe("what is stored is not what was published", () => {
		fresh();
		const versions = () => api.connection.collection("policyVersions");

		/** What a process that starts now makes of it. */
		async function faultAtStart(): Promise<string> {
			const policies = openStored(api.store);
			await policies.refresh();
			try {
				policies.evaluate({ context: { evaluatedAt: "2026-11-24T00:00:00Z" } });
				return "";
			} catch (error) {
				const { code, cause } = error as { code: string; cause: string };
				assert.equal(code, "policies_unavailable");
				return cause;
			}
		}
		async function publishTwo(): Promise<void> {
			await step(await approved(), "publish");
			await step(await approved({ text: editedText("otp", "1.9.0", () => undefined) }), "publish");
			assert.equal(await faultAtStart(), "");
		}

		it("a text, a date, an approver or an order that was changed stops every decision", async () => {
			await publishTwo();
			const edits: [object, RegExp][] = [
				[
					{ text: "id: defaults" },
					new RegExp(`revision 1 \\(defaults ${changed}\\): its text is not the one published`),
				],
				[{ effectiveFrom: 1 }, /revision 1 .*not as it was published/],
				[{ "approval.verified": false }, /revision 1 .*not as it was published/],
				[{ revision: 7 }, /revision 1 is missing/],
				[{ previous: "x" }, /revision 1 .*does not follow/],
			];
			const [before] = await api.store.policyVersions.all();
			assert.ok(before);
			for (const [edit, expected] of edits) {
				await versions().updateOne({ revision: 1 }, { $set: edit });
				assert.match(await faultAtStart(), expected);
				await versions().replaceOne({ _id: before._id as never }, before as never);
				assert.equal(await faultAtStart(), "");
			}
		});

		it("a version that is gone stops every decision, the last one too", async () => {
			await publishTwo();
			const all = await api.store.policyVersions.all();
			for (const gone of all) {
				await versions().deleteOne({ _id: gone._id as never });
				assert.match(await faultAtStart(), /revision 1 is missing|2 versions were published, 1 are stored/);
				await versions().insertOne(gone as never);
			}
			assert.equal(await faultAtStart(), "");
		});

		it("a process that runs notices within half a minute, and decides again once it is mended", async () => {
			await publishTwo();
			let now = 0;
			const running = openStored(api.store, () => now);
			await running.refresh();
			const [before] = await api.store.policyVersions.all();
			await versions().updateOne({ revision: 1 }, { $set: { text: "id: defaults" } });
			now += limits.policyVerifyMs;
			await running.refresh();
			assert.throws(() => running.versions(), { code: "policies_unavailable" });
			await versions().replaceOne({ _id: before?._id as never }, before as never);
			await running.refresh();
			assert.ok(running.versions().length > 2);
		});

		it("a store that is away is borne for some seconds, then nothing is decided until it is back", async () => {
			let now = 0;
			const { newest, all } = api.store.policyVersions;
			const { countPublished } = api.store.proposals;
			let away = false;
			const guard =
				<T>(call: () => Promise<T>) =>
				() =>
					away ? Promise.reject(new Error("away")) : call();
			const { openPolicies } = await import("../../../../policies/index.ts");
			const source = { newest: guard(newest), all: guard(all), countPublished: guard(countPublished) };
			const policies = openPolicies({ published: { source, monotonic: () => now } });
			assert.throws(() => policies.versions(), { code: "policies_unavailable" }, "nothing before the first look");
			await policies.refresh();
			away = true;
			now += limits.policyStaleMs;
			await policies.refresh();
			assert.ok(policies.versions().length > 0);
			now += 1;
			assert.throws(() => policies.versions(), { code: "policies_unavailable" });
			away = false;
			await policies.refresh();
			assert.ok(policies.versions().length > 0);
		});

		it("a release that ships another text of a version that was published here stops every decision", async () => {
			await step(await approved({ text: editedText("otp", "1.9.0", () => undefined) }), "publish");
			const shipped = openStored(api.store);
			await shipped.refresh();
			const { mkdtempSync, mkdirSync, writeFileSync, cpSync, rmSync } = await import("node:fs");
			const { tmpdir } = await import("node:os");
			const { join } = await import("node:path");
			const folder = mkdtempSync(join(tmpdir(), "lethe-release-"));
			cpSync(new URL("../../../../policies/packs/", import.meta.url), folder, { recursive: true });
			rmSync(join(folder, "published.json"), { force: true });
			mkdirSync(join(folder, "otp"), { recursive: true });
			const text = editedText("otp", "1.9.0", (document) => {
				document.effectiveFrom = "2026-11-01T00:00:00Z";
			});
			writeFileSync(join(folder, "otp", "1.9.0.yaml"), text);
			const { newest, all } = api.store.policyVersions;
			const { countPublished } = api.store.proposals;
			const { openPolicies } = await import("../../../../policies/index.ts");
			const next = openPolicies({
				directory: folder,
				published: { source: { newest, all, countPublished }, monotonic: () => 0 },
			});
			await next.refresh();
			rmSync(folder, { recursive: true });
			assert.throws(
				() => next.versions(),
				(error) => /another text of it/.test(String((error as Error).cause)),
			);
		});
	});
});
