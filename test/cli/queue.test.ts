// `lethe queue` and `lethe admin queue` as a shell sees them: what is set is shown and kept, what can't be is one line that names the mend.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { anywhere } from "../../domain/abuse.ts";
import { limits } from "../../domain/limits.ts";
import type { Message } from "../../domain/message.ts";
import { credentialsOf, login } from "../adapters/vault/helper.ts";
import { createTestApi, type TestApi } from "../api/harness.ts";
import { messageOf } from "../harness/message.ts";
import { bareEnvironment, root, run as runProgram, start } from "../harness/programs.ts";
import { readTreeFile } from "../tidy/tree.ts";

const lethe = [`${root}/cli/lethe.ts`];

it("tells a mistyped carrier or setting before it reads secrets or asks a server", async () => {
	const base = ["admin", "queue", "--id", "q", "--sender", "Lethe", "--carrier"];
	for (const [args, pattern] of [
		[["twillio"], /No carrier has this name\. There are: .*twilio/],
		[["twilio", "--setting", "ulr=x"], /ulr is no setting of this carrier\. There are: url/],
		[["smpp", "--setting", "url=smpps://a.example:1", "window=0"], /window can't be used: requests without an answer/],
		[["twilio", "--sender", "a name that is long"], /sender can't be used: it must be a number/],
	] as const) {
		// Its standard input stays open: what waits for it would never end.
		const program = start(process.execPath, [...lethe, ...base, ...args], { env: bareEnvironment(), stdin: "pipe" });
		await program.says(pattern, 30_000);
		assert.equal(await program.exited, 2);
	}
});

describe("lethe queue, against an API", () => {
	let api: TestApi;
	let target: string[];
	let tenantId: string;
	let sender: string;
	before(async () => {
		api = await createTestApi();
		const added = await api.addTenant({ sendQueue: "shell", roles: ["operator"] });
		tenantId = added.tenantId;
		sender = (await api.addKey(tenantId)).key;
		target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", added.key];
	});
	after(() => api.close());

	const usable = {
		send: { token: "a-token-of-sixteen-or-more" },
		callback: { publicKey: Buffer.alloc(32, 7).toString("base64") },
	};
	const run = (...args: string[]) => runProgram(process.execPath, [...lethe, "queue", ...args, ...target]);
	const stored = () => api.store.sendQueues.find("shell");
	const refuses = async (code: number, pattern: RegExp, ...args: string[]) => {
		const result = await run(...args);
		assert.deepEqual([result.code, result.out], [code, ""], args.join(" "));
		assert.match(result.error, pattern, args.join(" "));
		assert.equal(result.error.trimEnd().split("\n").length, 1, "one line");
	};

	/** As whoever holds the admin role does it; its credentials serve once. */
	async function administer(words: string[], input = "") {
		const args = words[0] === "doctor" ? words : ["admin", ...words];
		const { roleId, wrappedSecretId } = await credentialsOf("admin");
		const credentials = {
			LETHE_VAULT_ADMIN_ROLE_ID: roleId,
			LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId,
		};
		const env = { ...process.env, LETHE_DATABASE: api.connection.name, LETHE_LOG_LEVEL: "silent", ...credentials };
		return runProgram(process.execPath, [...lethe, ...args], { input, env });
	}

	it("lists what there is, a line each, or as the API tells it", async () => {
		const { code, out, error } = await run("list");
		assert.deepEqual([code, error], [0, ""]);
		assert.match(
			out,
			/^shell {19}open {6}simulator Lethe {2}0 of the default segments\/s, 0 next to be sent, 0 delayed, 0 under way, 0 in the backlog, registered as US=C-A1, no sender works it\n$/,
		);
		const { items } = JSON.parse((await run("list", "--json")).out);
		assert.deepEqual(
			items.map(({ id, state, movesWaiting }: Record<string, unknown>) => [id, state, movesWaiting]),
			[["shell", "open", false]],
		);
	});

	it("tells of one that others use too its tenant's own backlog, and that it is shared", async () => {
		const one = await api.addTenant({ sendQueue: "common", roles: ["operator"] });
		await api.addTenant({ sendQueue: "common" });
		const [url, at] = target;
		const program = await runProgram(process.execPath, [
			...lethe,
			"queue",
			"list",
			url,
			at,
			"--key",
			one.key,
		] as string[]);
		assert.match(program.out, /^common +open +\S+ \S+ +other tenants use it too, 0 in the backlog$/m);
	});

	it("sets what it is told, merges maps, takes away what is none, and leaves the rest", async () => {
		const rates = ["--rate", "20", "--country-rate", "DE=10", "US=5", "--price", "DE=0.07", "*=0.1"];
		const set = await run("set", "shell", ...rates, "--registration", "US=C-A1", "DE=D-B2");
		assert.deepEqual([set.code, set.error], [0, ""]);
		const shown =
			/ of 20 segments\/s, .*, at most DE=10 US=5 segments\/s, registered as US=C-A1 DE=D-B2.* {2}DE=0.07 \*=0.1\n$/;
		assert.match(set.out, shown);
		assert.match((await run("list")).out, shown);
		const changed = ["--country-rate", "US=none", "--price", "US=0.01", "--registration", "DE=none", "--json"];
		const { prices, countryRates, registrations, limitPerSecond } = JSON.parse(
			(await run("set", "shell", ...changed)).out,
		);
		assert.deepEqual([prices, countryRates], [{ DE: 0.07, "*": 0.1, US: 0.01 }, { DE: 10 }]);
		assert.deepEqual([registrations, limitPerSecond], [{ US: "C-A1" }, 20]);
		await run("set", "shell", "--rate", "none", "--country-rate", "DE=none");
		const { ratePerSecond, countryRates: none } = (await stored()) ?? {};
		assert.deepEqual([ratePerSecond, none], [undefined, undefined]);
	});

	it("pauses, drains and resumes, and hands on what waits where it is told to", async () => {
		for (const [args, expected] of [
			[["pause", "shell"], { paused: true, draining: false, moveWaiting: false }],
			[["pause", "shell", "--move"], { paused: true, draining: false, moveWaiting: true }],
			[["drain", "shell", "--move"], { paused: false, draining: true, moveWaiting: true }],
			[["drain", "shell"], { paused: false, draining: true, moveWaiting: false }],
			[["resume", "shell"], { paused: false, draining: false, moveWaiting: false }],
		] as const) {
			const { code, out, error } = await run(...args);
			assert.deepEqual([code, error], [0, ""], args.join(" "));
			assert.equal(out.includes("handed on"), expected.moveWaiting, out);
			assert.ok(args[0] !== "resume" || !out.includes("no sender works it"), "it has had no time to be worked");
			const { paused, draining, moveWaiting } = (await stored()) ?? {};
			assert.deepEqual({ paused, draining, moveWaiting }, expected, args.join(" "));
		}
		await refuses(2, /--move/, "resume", "shell", "--move");
	});

	it("lists the messages of which nobody knows what became, all pages of them", async () => {
		assert.equal((await run("doubts")).out, "none\n");
		const ids: string[] = [];
		for (let index = 0; index < 2; index++) ids.push((await api.post(sender)).json.id);
		for (const id of ids) await api.sent(id);
		const set = { state: "sending", "attempts.0.outcome": "ambiguous", "attempts.0.code": "timeout" };
		for (const id of ids) await api.store.messages.transition({ id, set });
		const { code, out } = await run("doubts");
		assert.equal(code, 0);
		const lines = out.trimEnd().split("\n");
		assert.deepEqual(new Set(lines.map((line) => line.split("  ")[0])), new Set(ids));
		const ends = "ends by a receipt, or by itself at \\S+Z; past cancelling";
		for (const line of lines)
			assert.match(line, new RegExp(`^msg_\\S+ {2}sending {2}since \\S+Z {2}shell {2}timeout {2}${ends}$`));
		const { items } = JSON.parse((await run("doubts", "--json")).out);
		assert.equal(items.length, 2);
		for (const id of ids) await api.store.messages.transition({ id, set: { state: "unknown" } });
		const over = (await run("doubts")).out.trimEnd().split("\n");
		assert.equal(over.length, 2);
		for (const line of over) assert.match(line, / {2}unknown {2}since .* {2}has ended; a late receipt still counts$/);
	});

	it("says in one line what it can't do, and how it could", async () => {
		await refuses(2, /no queue nowhere.*queue list/, "set", "nowhere", "--rate", "1");
		await refuses(2, /name an option/, "set", "shell");
		for (const step of ["pause", "drain", "resume"]) await refuses(2, /no queue nowhere.*queue list/, step, "nowhere");
		for (const [option, value, pattern] of [
			["--rate", "0", /Give 1 to 100000 segments a second, or none/],
			["--country-rate", "DE", /Give it as in DE=10\. /],
			["--country-rate", "XX=5", /Give a country of ISO 3166-1 such as DE\. /],
			["--country-rate", "*=5", /Give a country of ISO 3166-1 such as DE\. /],
			["--country-rate", "DE=100001", /Give 1 to 100000 segments a second, or none/],
			["--price", "DE=", /Give it as in DE=0\.07\. /],
			["--price", "de=0.07", /Give the country in capitals: DE, not de\. /],
			["--price", "DE=-1", /Give a price of 0 to 1000 such as 0\.07, or none/],
			["--price", "DE=abc", /Give a price of 0 to 1000 such as 0\.07, or none/],
			["--price", "DE=1000.01", /Give a price of 0 to 1000 such as 0\.07, or none/],
			["--registration", "US=", /Give it as in US=C-A1\. /],
			["--registration", "US=12025550142", /Give a reference such as C-A1, a letter first/],
		] as const) {
			await refuses(2, pattern, "set", "shell", option, value);
		}
	});

	it("tells where queues are made and removed to who looks for it here", async () => {
		const made = "`lethe admin queue` makes or replaces a queue; `lethe admin remove-queue` removes one.";
		for (const word of ["add", "create"]) await refuses(2, /`lethe admin queue` makes/, word, "x", "--carrier", "y");
		for (const word of ["remove", "delete"]) await refuses(2, /`lethe admin remove-queue` removes/, word, "shell");
		await refuses(2, /`lethe admin remove-queue` removes/, "remove", "--help");
		const { code, out } = await run("--help");
		assert.equal(code, 0);
		assert.ok(out.trimEnd().endsWith(made), out);
		assert.doesNotMatch(out, /^ {2}(add|create|remove|delete)/m);
	});

	it("has doctor tell what the alerts tell of every tenant, a warning as a warning", async () => {
		const { keyId: about } = await api.addKey(tenantId);
		await api.evidence.append([{ type: "credential_alert", code: "new_address", tenantId, about, by: about }]);
		const unset = { _id: "unset", carrier: "telnyx", sender: "Lethe", settings: {}, paused: true };
		await api.store.sendQueues.put(unset);
		const { code, out } = await administer(["doctor"]);
		await api.store.sendQueues.remove("unset");
		assert.equal(code, 1);
		assert.match(out, /^FAIL carrier credentials: unset lacks the setting messagingProfileId\n/m);
		assert.match(
			out,
			new RegExp(`^WARN credential_suspect: ${about} \\(new_address\\) since .*\\n {5}→ Look into`, "m"),
		);
		assert.doesNotMatch(out, /nothing is late/);
	});

	it("creates a queue with all that routing asks of it, and replaces it without undoing what operators set", async () => {
		const admin = (args: string[], input: string) => administer(["queue", ...args], input);
		const secrets = JSON.stringify(usable);
		const base = [
			"--id",
			"routed",
			"--carrier",
			"simulator",
			"--sender",
			"Lethe",
			"--setting",
			"url=http://127.0.0.1:1",
		];
		const routing = [
			...["--rate", "7", "--country", "DE", "FR", "--category", "otp", "health"],
			...["--region", "eu", "--baa-ref", "BAA-1", "--subprocessor", "approved", "--processing-country", "DE"],
			...["--transfer-mechanism", "SCC", "--carrier-copy", "redact"],
		];
		const made = await admin([...base, ...routing], secrets);
		assert.deepEqual([made.code, made.error, made.out], [0, "", '{"sendQueue":"routed"}\n']);
		const expected = {
			...{ _id: "routed", carrier: "simulator", sender: "Lethe", settings: { url: "http://127.0.0.1:1" } },
			...{ ratePerSecond: 7, countries: ["DE", "FR"], categories: ["otp", "health"], region: "eu", baaRef: "BAA-1" },
			...{ approvedSubprocessor: true, processingCountry: "DE", transferMechanism: "SCC", carrierCopy: "redact" },
			...{ paused: false, draining: false },
		};
		assert.deepEqual(await api.store.sendQueues.find("routed"), expected);
		await api.store.sendQueues.set("routed", { prices: { DE: 0.07 }, ratePerSecond: 12 });
		await api.store.sendQueues.setFlow("routed", { paused: true, draining: false, moveWaiting: true });
		const { code: again, error: warning } = await admin(base, secrets);
		assert.equal(again, 0);
		assert.match(warning, /^lethe admin queue: warning: .*routed.*--subprocessor, --processing-country.*\n$/);
		const half = await admin([...base, "--subprocessor", "refused"], secrets);
		assert.match(half.error, /^[^\n]*--processing-country[^\n]*\n$/);
		assert.doesNotMatch(half.error, /--subprocessor/);
		const { prices, paused, moveWaiting, countries, ratePerSecond } = (await api.store.sendQueues.find("routed")) ?? {};
		assert.deepEqual([prices, paused, moveWaiting, countries], [{ DE: 0.07 }, true, true, undefined]);
		assert.equal(ratePerSecond, 12, "as the operator set it");
		assert.equal((await admin([...base, "--rate", "8"], secrets)).code, 0);
		assert.equal((await api.store.sendQueues.find("routed"))?.ratePerSecond, 8, "as the command names it");
		for (const [args, input] of [
			[[...base.slice(0, 2), "--carrier", "nobody", "--sender", "x"], secrets],
			[base, '{"send": "marker"}'],
			[[...base, "--id", "15551234567"], secrets],
		] as const) {
			const { code, out, error } = await admin([...args], input);
			assert.deepEqual([code, out], [2, ""], args.join(" "));
			assert.doesNotMatch(error, /marker|a-token/);
		}
	});

	it("is listed before it is any tenant's, to who governs, with the command that it lacks", async () => {
		const { key } = await api.addTenant({ sendQueue: "governing", governsPolicies: true, roles: ["operator"] });
		const { out } = await runProgram(process.execPath, [
			...lethe,
			"queue",
			"list",
			...target.slice(0, 2),
			"--key",
			key,
		]);
		const [own = "", unrouted = ""] = out.trimEnd().split("\n");
		assert.match(own, /^governing {15}open/);
		assert.doesNotMatch(own, /not routed/);
		assert.match(
			unrouted,
			/^routed {18}paused.*, not routed: `lethe admin tenant routes <tenant> --send-queue … routed`/,
		);
		assert.doesNotMatch(unrouted, /no sender/, "a paused one needs none");
		assert.doesNotMatch((await run("list")).out, /^routed/m);
	});

	it("tells by a dry run which way a message would take and what it costs, and that none may have it", async () => {
		const dryRun = (to: string) =>
			runProgram(process.execPath, [
				...[...lethe, "send", "--dry-run", "--to", to, "--body", "x".repeat(161), "--lawful-basis", "contract"],
				...[...target.slice(0, 2), "--key", sender],
			]);
		const priced = await run("set", "shell", "--price", "DE=0.07");
		assert.equal(priced.code, 0);
		const { code, out } = await dryRun("+4915112345678");
		assert.equal(code, 0, out);
		const route = "route: shell, carrier simulator, sender Lethe, 0.07 a segment, 0.14 in all";
		assert.match(out, /^dry run: allowed \(.*\); 2 SMS in gsm7\nroute: /);
		assert.ok(out.includes(`\n${route}\n`), out);
		await api.store.tenants.set(tenantId, { destinations: ["FR"] });
		await api.store.sendQueues.set("shell", { countries: ["FR"] });
		api.time.offsetMs += limits.tenantSeenMs;
		const refused = await dryRun("+4915112345678");
		assert.equal(refused.code, 1, refused.out);
		assert.match(refused.out, /^dry run: refused \(.*NO_ROUTE, DESTINATION_NOT_ALLOWED\); 2 SMS/);
		assert.match(refused.out, /\nroute: none; docs.*\ndestination DE: refused \(DESTINATION_NOT_ALLOWED\)\n$/);
		await api.store.tenants.set(tenantId, { destinations: [anywhere] });
		await api.store.sendQueues.set("shell", { countries: ["DE", "FR", "US", "IN"] });
	});

	it("is named to who waits for a message that waits on it", async () => {
		const send = (...args: string[]) =>
			runProgram(process.execPath, [
				...[...lethe, "send", "--to", "+4915112345678", "--body", "x", "--lawful-basis", "contract"],
				...["--idempotency-key", "waits-1", ...target.slice(0, 2), "--key", sender, ...args],
			]);
		api.time.offsetMs += limits.tenantSeenMs;
		const sent = await send();
		assert.deepEqual([sent.code, sent.error], [0, ""]);
		const [id = ""] = sent.out.split(" ");
		assert.ok(await api.store.messages.transition({ id, set: { state: "queued" } }));
		const { code, out, error } = await send("--wait", "--timeout", "0");
		assert.deepEqual([code, out], [1, `${id} queued\n`]);
		assert.match(error, /^lethe send: not final after 0 s: it is queued on shell; `lethe queue list` says why\. It /m);
	});

	it("is told, by its name, of what its carrier does not know, needs or can use; nothing is changed then", async () => {
		const before = await api.store.sendQueues.find("routed");
		const queue = ["queue", "--id", "routed", "--carrier"];
		const base = [...queue, "simulator", "--sender", "Lethe", "--setting", "url=http://127.0.0.1:1"];
		const both = JSON.stringify(usable);
		// What each carrier refuses: test/adapters/carriers/registry.test.ts.
		const cases: [string[], unknown, RegExp][] = [
			[[...base, "--setting", "foo=1"], usable, /foo is no setting of this carrier\. There are: url, callbackUrl\./],
			[
				base,
				{ send: {}, callback: {} },
				/token is missing, a secret, for sending, that this carrier needs: its bearer/,
			],
			[base, { ...usable, send: { token: "" } }, /token can't be used/],
			[base, "", /standard input is not JSON: give/],
			[base, { send: usable.send }, /standard input lacks callback: give/],
			[base, { callback: usable.callback }, /standard input lacks send: give/],
			[["secrets", "routed"], { callback: { secret: "marker" } }, /secret is no secret, for callbacks/],
			[["secrets", "routed"], { send: {} }, /token is missing/],
			[["secrets", "nowhere"], { send: usable.send }, /no send queue nowhere: make it with `lethe admin queue`/],
		];
		assert.equal((await administer(["secrets", "routed"], both)).code, 0);
		for (const [args, input, pattern] of cases) {
			const { code, out, error } = await administer([...args], input === "" ? "marker{" : JSON.stringify(input));
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
			assert.doesNotMatch(error, /marker/);
		}
		assert.deepEqual(await api.store.sendQueues.find("routed"), before);
	});

	it("is given to a tenant besides those that it has, and none of those is taken from it", async () => {
		const give = (...queues: string[]) => administer(["tenant", "routes", tenantId, "--send-queue", ...queues]);
		const given = await give("routed", "shell");
		assert.deepEqual([given.code, given.error], [0, ""]);
		assert.deepEqual((await api.store.tenants.find(tenantId))?.sendQueues, ["routed", "shell"]);
		for (const [queues, pattern] of [
			[["routed"], /shell can't be taken away.*lethe queue drain shell/],
			[["routed", "shell", "nowhere"], /no send queue nowhere.*lethe admin queue/],
		] as const) {
			const { code, out, error } = await give(...queues);
			assert.deepEqual([code, out], [2, ""]);
			assert.match(error, pattern);
		}
		assert.deepEqual((await api.store.tenants.find(tenantId))?.sendQueues, ["routed", "shell"]);
	});

	it("does what the page on routing says, command by command", async () => {
		const page = readTreeFile("docs/routing.md");
		const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = ""]) => text.replaceAll(/\\\n\s*/g, ""));
		const commands = blocks.flatMap((text) => text.trimEnd().split("\n"));
		assert.ok(commands.length > 20);
		const operator = (await api.addKey(tenantId, ["operator", "sender"])).key;
		const [url = ""] = target.slice(1);
		const secrets = JSON.stringify(usable);
		for (const command of commands) {
			const text = command
				.replace("npx lethe ", "")
				.replace(/\s+(#|<).*$/, "")
				.replace("ten_…", tenantId);
			const args = [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
				([, one, two, three]) => one ?? two ?? three ?? "",
			);
			const result =
				args[0] === "admin"
					? // What a tenant has can't be taken from it: the page's has nothing yet.
						await administer([...args.slice(1), ...(args[1] === "tenant" ? ["shell", "routed"] : [])], secrets)
					: await runProgram(process.execPath, [...lethe, ...args, "--url", url, "--key", operator]);
			assert.deepEqual([result.code, result.error], [0, ""], command);
		}
		const { prices, registrations, paused, ratePerSecond } = (await api.store.sendQueues.find("main")) ?? {};
		assert.deepEqual([prices, ratePerSecond], [{ DE: 0.07, FR: 0.06, "*": 0.1 }, 50]);
		assert.deepEqual([registrations, paused], [{ US: "C-A1", IN: "E-7:LETHE:T-77" }, false]);
		assert.equal(await api.store.sendQueues.find("spare"), undefined);
		assert.deepEqual((await api.store.tenants.find(tenantId))?.sendQueues, ["main", "shell", "routed"]);
	});

	it("stays its carrier's and sender's while a tenant has it or anything needs it", async () => {
		const secrets = JSON.stringify(usable);
		const put = (id: string, sender: string, ...more: string[]) =>
			administer(["queue", "--id", id, "--sender", sender, ...(more.length > 0 ? more : simulator)], secrets);
		const simulator = ["--carrier", "simulator", "--setting", "url=http://127.0.0.1:1"];
		const refusesTo = async (made: ReturnType<typeof put>, pattern: RegExp) => {
			const { code, out, error } = await made;
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
		};
		const vault = await login("sender");
		const secretsOf = async (id: string) => (await vault.read(`kv/data/carriers/${id}/send`))?.data.metadata.version;
		const mend = "another id, .*`lethe admin tenant routes`.*`lethe queue drain routed --move`.*remove-queue routed`";
		const [queue, written] = [await api.store.sendQueues.find("routed"), await secretsOf("routed")];
		assert.ok(queue);
		await refusesTo(
			put("routed", "Other"),
			new RegExp(`simulator Lethe:.* ${tenantId} has it \\(1 in all\\)\\..*${mend}`),
		);
		// As if it had been made another carrier's before.
		await api.store.sendQueues.set("routed", { carrier: "earlier" });
		await refusesTo(put("routed", "Lethe"), new RegExp(`earlier Lethe:.* ${tenantId} has it`));
		await api.store.sendQueues.set("routed", { carrier: "simulator" });
		assert.deepEqual([await api.store.sendQueues.find("routed"), await secretsOf("routed")], [queue, written]);

		assert.equal((await put("lone", "Lethe")).code, 0);
		const operated = {
			prices: { DE: 0.07 },
			registrations: { US: "C-A1" },
			countryRates: { DE: 1 },
			ratePerSecond: 9,
			paused: true,
		};
		await api.store.sendQueues.set("lone", operated);
		const id = api.ids.random("message");
		await api.store.messages.insert({
			...messageOf({ id, sendQueue: "lone", state: "submitted" }),
			nextCheckAt: api.clock() + 1_000_000,
		});
		await refusesTo(put("lone", "Other"), new RegExp(`became of ${id} is not known yet \\(1 in all\\)`));
		// Its own carrier and sender may be reached elsewhere, though.
		assert.equal((await put("lone", "Lethe", ...simulator.slice(0, 3), "url=http://127.0.0.1:2")).code, 0);
		const copy = { state: "due", dueAt: 0, tries: 1, nextTryAt: 0 };
		await api.store.messages.transition({ id, set: { state: "delivered", carrierCopy: copy } as never });
		await refusesTo(put("lone", "Other"), new RegExp(`yet to forget messages, ${id} among them`));
		await api.store.messages.transition({ id, set: { sendQueue: "elsewhere" } });
		assert.equal((await put("lone", "Other")).code, 0);
		const now = await api.store.sendQueues.find("lone");
		assert.ok(now);
		const kept = [now.prices, now.registrations, now.countryRates, now.ratePerSecond];
		assert.deepEqual([now.sender, now.paused, ...kept], ["Other", true, undefined, undefined, undefined, undefined]);
	});

	it("is removed once it was drained and nothing needs it any more, and its secrets are destroyed", async () => {
		const remove = (...args: string[]) => administer(["remove-queue", ...args]);
		const refusesTo = async (pattern: RegExp, id = "routed") => {
			const { code, out, error } = await remove(id);
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
		};
		await refusesTo(/^lethe: there is no send queue nowhere: .*\n$/, "nowhere");
		await api.addTenant({ sendQueue: "alone" });
		await refusesTo(/alone is the only one of ten_.*lethe admin tenant routes/, "alone");
		await run("resume", "routed");
		await refusesTo(/routed still takes messages.*lethe queue drain routed --move/);
		await run("drain", "routed");
		const id = api.ids.random("message");
		const message = messageOf({ id, sendQueue: "routed", state: "submitted" });
		await api.store.messages.insert({ ...message, nextCheckAt: api.clock() + 1_000_000 });
		const closesAt = new Date(message.closeAt).toISOString();
		await refusesTo(
			new RegExp(`became of ${id} is not known yet \\(1 in all\\): past cancelling,.* by itself at ${closesAt}`),
		);
		const copy = { state: "due", dueAt: 0, tries: 1, nextTryAt: 0 };
		await api.store.messages.transition({ id, set: { state: "delivered", carrierCopy: copy } as never });
		// It came to rest before its carrier forgot it.
		const rest = (await api.store.messages.find(id)) as Message;
		assert.ok(await api.store.messages.transition({ id, rest }));
		await refusesTo(new RegExp(`yet to forget messages, ${id} among them.*--leave-copies`));
		assert.ok(await api.store.sendQueues.find("routed"), "nothing was changed");
		// One that no tenant has takes nothing, and need not be drained.
		const given = ["--carrier", "simulator", "--sender", "Lethe", "--setting", "url=http://127.0.0.1:1"];
		assert.equal((await administer(["queue", "--id", "spent", ...given], JSON.stringify(usable))).code, 0);
		const vault = await login("sender");
		assert.ok(await vault.read("kv/data/carriers/spent/send"));
		await api.store.messages.transition({ id, set: { sendQueue: "spent" } });
		assert.deepEqual(await remove("spent", "--leave-copies"), { code: 0, out: '{"removed":true}\n', error: "" });
		assert.equal(await api.store.sendQueues.find("spent"), undefined);
		assert.equal(await vault.read("kv/data/carriers/spent/send"), undefined);
		const acts = (await api.entries()).filter(({ code }) => code === "spent").map(({ type }) => type);
		assert.deepEqual(acts, ["send_queue_changed", "send_queue_removed"]);
		await refusesTo(/there is no send queue spent/, "spent");
	});
});
