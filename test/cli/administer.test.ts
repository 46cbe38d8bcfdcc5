// `lethe admin queue` and what goes with it as a shell sees it: what is set is shown and kept, what can't be is one line that names the mend.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { anywhere } from "../../domain/abuse.ts";
import { limits } from "../../domain/limits.ts";
import { run as runProgram } from "../harness/programs.ts";
import { readTreeFile } from "../tidy/tree.ts";
import { createQueueShell, lethe, type QueueShell, usable } from "./harness.ts";

describe("lethe admin queue, against an API", () => {
	let shell: QueueShell;
	before(async () => {
		shell = await createQueueShell();
	});
	after(() => shell.api.close());

	it("creates a queue with all that routing asks of it, and replaces it without undoing what operators set", async () => {
		const admin = (args: string[], input: string) => shell.administer(["queue", ...args], input);
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
		assert.deepEqual(await shell.api.store.sendQueues.find("routed"), expected);
		await shell.api.store.sendQueues.set("routed", { prices: { DE: 0.07 }, ratePerSecond: 12 });
		await shell.api.store.sendQueues.setFlow("routed", { paused: true, draining: false, moveWaiting: true });
		const { code: again, error: warning } = await admin(base, secrets);
		assert.equal(again, 0);
		assert.match(warning, /^lethe admin queue: warning: .*routed.*--subprocessor, --processing-country.*\n$/);
		const half = await admin([...base, "--subprocessor", "refused"], secrets);
		assert.match(half.error, /^[^\n]*--processing-country[^\n]*\n$/);
		assert.doesNotMatch(half.error, /--subprocessor/);
		const { prices, paused, moveWaiting, countries, ratePerSecond } =
			(await shell.api.store.sendQueues.find("routed")) ?? {};
		assert.deepEqual([prices, paused, moveWaiting, countries], [{ DE: 0.07 }, true, true, undefined]);
		assert.equal(ratePerSecond, 12, "as the operator set it");
		assert.equal((await admin([...base, "--rate", "8"], secrets)).code, 0);
		assert.equal((await shell.api.store.sendQueues.find("routed"))?.ratePerSecond, 8, "as the command names it");
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
		const { key } = await shell.api.addTenant({ sendQueue: "governing", governsPolicies: true, roles: ["operator"] });
		const { out } = await runProgram(process.execPath, [
			...lethe,
			"queue",
			"list",
			...shell.target.slice(0, 2),
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
		assert.doesNotMatch((await shell.run("list")).out, /^routed/m);
	});

	it("tells by a dry run which way a message would take and what it costs, and that none may have it", async () => {
		const dryRun = (to: string) =>
			runProgram(process.execPath, [
				...[...lethe, "send", "--dry-run", "--to", to, "--body", "x".repeat(161), "--lawful-basis", "contract"],
				...[...shell.target.slice(0, 2), "--key", shell.sender],
			]);
		const priced = await shell.run("set", "shell", "--price", "DE=0.07");
		assert.equal(priced.code, 0);
		const { code, out } = await dryRun("+4915112345678");
		assert.equal(code, 0, out);
		const route = "route: shell, carrier simulator, sender Lethe, 0.07 a segment, 0.14 in all";
		assert.match(out, /^dry run: allowed \(.*\); 2 SMS in gsm7\nroute: /);
		assert.ok(out.includes(`\n${route}\n`), out);
		await shell.api.store.tenants.set(shell.tenantId, { destinations: ["FR"] });
		await shell.api.store.sendQueues.set("shell", { countries: ["FR"] });
		shell.api.time.offsetMs += limits.tenantSeenMs;
		const refused = await dryRun("+4915112345678");
		assert.equal(refused.code, 1, refused.out);
		assert.match(refused.out, /^dry run: refused \(.*NO_ROUTE, DESTINATION_NOT_ALLOWED\); 2 SMS/);
		assert.match(refused.out, /\nroute: none; docs.*\ndestination DE: refused \(DESTINATION_NOT_ALLOWED\)\n/);
		await shell.api.store.tenants.set(shell.tenantId, { destinations: [anywhere] });
		await shell.api.store.sendQueues.set("shell", { countries: ["DE", "FR", "US", "IN"] });
	});

	it("is named to who waits for a message that waits on it", async () => {
		const send = (...args: string[]) =>
			runProgram(process.execPath, [
				...[...lethe, "send", "--to", "+4915112345678", "--body", "x", "--lawful-basis", "contract"],
				...["--idempotency-key", "waits-1", ...shell.target.slice(0, 2), "--key", shell.sender, ...args],
			]);
		shell.api.time.offsetMs += limits.tenantSeenMs;
		const sent = await send();
		assert.deepEqual([sent.code, sent.error], [0, ""]);
		const [id = ""] = sent.out.split(" ");
		assert.ok(await shell.api.store.messages.transition({ id, set: { state: "queued" } }));
		const { code, out, error } = await send("--wait", "--timeout", "0");
		assert.deepEqual([code, out], [1, `${id} queued\n`]);
		assert.match(error, /^lethe send: not final after 0 s: it is queued on shell; `lethe queue list` says why\. It /m);
	});

	it("is told, by its name, of what its carrier does not know, needs or can use; nothing is changed then", async () => {
		const before = await shell.api.store.sendQueues.find("routed");
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
		assert.equal((await shell.administer(["secrets", "routed"], both)).code, 0);
		for (const [args, input, pattern] of cases) {
			const { code, out, error } = await shell.administer([...args], input === "" ? "marker{" : JSON.stringify(input));
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, pattern);
			assert.doesNotMatch(error, /marker/);
		}
		assert.deepEqual(await shell.api.store.sendQueues.find("routed"), before);
	});

	it("is given to a tenant besides those that it has, and none of those is taken from it", async () => {
		const give = (...queues: string[]) =>
			shell.administer(["tenant", "routes", shell.tenantId, "--send-queue", ...queues]);
		const given = await give("routed", "shell");
		assert.deepEqual([given.code, given.error], [0, ""]);
		assert.deepEqual((await shell.api.store.tenants.find(shell.tenantId))?.sendQueues, ["routed", "shell"]);
		for (const [queues, pattern] of [
			[["routed"], /shell can't be taken away.*lethe queue drain shell/],
			[["routed", "shell", "nowhere"], /no send queue nowhere.*lethe admin queue/],
		] as const) {
			const { code, out, error } = await give(...queues);
			assert.deepEqual([code, out], [2, ""]);
			assert.match(error, pattern);
		}
		assert.deepEqual((await shell.api.store.tenants.find(shell.tenantId))?.sendQueues, ["routed", "shell"]);
	});

	it("sets what a tenant answers to STOP and HELP, and unsets what is left out", async () => {
		const set = (...args: string[]) => shell.administer(["tenant", "replies", shell.tenantId, ...args]);
		const inbound = async () => (await shell.api.store.tenants.find(shell.tenantId))?.inbound;
		const both = await set("--help-reply", "Call 0800 1.", "--stop-scope", "marketing");
		assert.deepEqual([both.code, both.error], [0, ""]);
		assert.deepEqual(await inbound(), { helpReply: "Call 0800 1.", stopScope: "marketing" });
		assert.equal((await set("--stop-reply", "No more from us.")).code, 0);
		assert.deepEqual(await inbound(), { stopReply: "No more from us." });
		const unknown = await shell.administer(["tenant", "replies", "ten_none", "--help-reply", "x"]);
		assert.deepEqual([unknown.code, /there is no tenant ten_none/.test(unknown.error)], [2, true]);
	});

	it("sets the country of a tenant's establishment, and enters that", async () => {
		const set = (id: string, country: string) => shell.administer(["tenant", "establishment", id, country]);
		const { code, error, out } = await set(shell.tenantId, "GB");
		assert.deepEqual([code, error, JSON.parse(out)], [0, "", { tenantId: shell.tenantId, establishment: "GB" }]);
		assert.equal((await shell.api.store.tenants.find(shell.tenantId))?.establishment, "GB");
		const entries = [];
		for await (const bundle of shell.api.store.evidence.read(0)) entries.push(...bundle.entries);
		assert.ok(entries.some((entry) => entry.includes('"code":"establishment"')));
		const unknown = await set("ten_none", "GB");
		assert.deepEqual([unknown.code, /there is no tenant ten_none/.test(unknown.error)], [2, true]);
	});

	it("does what the page on routing says, command by command", async () => {
		const page = readTreeFile("docs/routing.md");
		const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = ""]) => text.replaceAll(/\\\n\s*/g, ""));
		const commands = blocks.flatMap((text) => text.trimEnd().split("\n"));
		assert.ok(commands.length > 20);
		const operator = (await shell.api.addKey(shell.tenantId, ["operator", "sender"])).key;
		const [url = ""] = shell.target.slice(1);
		const secrets = JSON.stringify(usable);
		for (const command of commands) {
			const text = command
				.replace("npx lethe ", "")
				.replace(/\s+(#|<).*$/, "")
				.replace("ten_…", shell.tenantId);
			const args = [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
				([, one, two, three]) => one ?? two ?? three ?? "",
			);
			const result =
				args[0] === "admin"
					? // What a tenant has can't be taken from it: the page's has nothing yet.
						await shell.administer([...args.slice(1), ...(args[1] === "tenant" ? ["shell", "routed"] : [])], secrets)
					: await runProgram(process.execPath, [...lethe, ...args, "--url", url, "--key", operator]);
			assert.deepEqual([result.code, result.error], [0, ""], command);
		}
		const { prices, registrations, paused, ratePerSecond } = (await shell.api.store.sendQueues.find("main")) ?? {};
		assert.deepEqual([prices, ratePerSecond], [{ DE: 0.07, FR: 0.06, "*": 0.1 }, 50]);
		assert.deepEqual([registrations, paused], [{ US: "C-A1", IN: "E-7:LETHE:T-77" }, false]);
		assert.equal(await shell.api.store.sendQueues.find("spare"), undefined);
		assert.deepEqual((await shell.api.store.tenants.find(shell.tenantId))?.sendQueues, ["main", "shell", "routed"]);
	});
});
