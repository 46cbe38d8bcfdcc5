// `lethe queue` as a shell sees it: what is set is shown and kept, what can't be is one line that names the mend.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bareEnvironment, run as runProgram, start } from "../harness/programs.ts";
import { createQueueShell, lethe, type QueueShell } from "./harness.ts";

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
	let shell: QueueShell;
	before(async () => {
		shell = await createQueueShell();
	});
	after(() => shell.api.close());

	const stored = () => shell.api.store.sendQueues.find("shell");
	const refuses = async (code: number, pattern: RegExp, ...args: string[]) => {
		const result = await shell.run(...args);
		assert.deepEqual([result.code, result.out], [code, ""], args.join(" "));
		assert.match(result.error, pattern, args.join(" "));
		assert.equal(result.error.trimEnd().split("\n").length, 1, "one line");
	};

	it("lists what there is, a line each, or as the API tells it", async () => {
		const { code, out, error } = await shell.run("list");
		assert.deepEqual([code, error], [0, ""]);
		assert.match(
			out,
			/^shell {19}open {6}simulator Lethe {2}0 of the default segments\/s, 0 next to be sent, 0 delayed, 0 under way, 0 in the backlog, registered as US=C-A1, no sender works it\n$/,
		);
		const { items } = JSON.parse((await shell.run("list", "--json")).out);
		assert.deepEqual(
			items.map(({ id, state, movesWaiting }: Record<string, unknown>) => [id, state, movesWaiting]),
			[["shell", "open", false]],
		);
	});

	it("tells of one that others use too its tenant's own backlog, and that it is shared", async () => {
		const one = await shell.api.addTenant({ sendQueue: "common", roles: ["operator"] });
		await shell.api.addTenant({ sendQueue: "common" });
		const [url, at] = shell.target;
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

	it("takes away what an earlier build took for a country", async () => {
		const before = await stored();
		const { prices = {} } = before ?? {};
		await shell.api.store.sendQueues.set("shell", { prices: { ...prices, UK: 0.1 }, countryRates: { UK: 5 } });
		const taken = await shell.run("set", "shell", "--price", "UK=none", "--country-rate", "UK=none");
		assert.deepEqual([taken.code, taken.error], [0, ""]);
		const { prices: left = {}, countryRates } = (await stored()) ?? {};
		assert.deepEqual([left, countryRates], [prices, undefined]);
		await refuses(2, /UK does not stand there\. Give GB, not UK\./, "set", "shell", "--price", "UK=none");
	});

	it("sets what it is told, merges maps, takes away what is none, and leaves the rest", async () => {
		const rates = ["--rate", "20", "--country-rate", "DE=10", "US=5", "--price", "DE=0.07", "*=0.1"];
		const set = await shell.run("set", "shell", ...rates, "--registration", "US=C-A1", "DE=D-B2");
		assert.deepEqual([set.code, set.error], [0, ""]);
		const shown =
			/ of 20 segments\/s, .*, at most DE=10 US=5 segments\/s, registered as US=C-A1 DE=D-B2.* {2}DE=0.07 \*=0.1\n$/;
		assert.match(set.out, shown);
		assert.match((await shell.run("list")).out, shown);
		const changed = ["--country-rate", "US=none", "--price", "US=0.01", "--registration", "DE=none", "--json"];
		const { prices, countryRates, registrations, limitPerSecond } = JSON.parse(
			(await shell.run("set", "shell", ...changed)).out,
		);
		assert.deepEqual([prices, countryRates], [{ DE: 0.07, "*": 0.1, US: 0.01 }, { DE: 10 }]);
		assert.deepEqual([registrations, limitPerSecond], [{ US: "C-A1" }, 20]);
		await shell.run("set", "shell", "--rate", "none", "--country-rate", "DE=none");
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
			const { code, out, error } = await shell.run(...args);
			assert.deepEqual([code, error], [0, ""], args.join(" "));
			assert.equal(out.includes("handed on"), expected.moveWaiting, out);
			assert.ok(args[0] !== "resume" || !out.includes("no sender works it"), "it has had no time to be worked");
			const { paused, draining, moveWaiting } = (await stored()) ?? {};
			assert.deepEqual({ paused, draining, moveWaiting }, expected, args.join(" "));
		}
		await refuses(2, /--move/, "resume", "shell", "--move");
	});

	it("lists the messages of which nobody knows what became, all pages of them", async () => {
		assert.equal((await shell.run("doubts")).out, "none\n");
		const ids: string[] = [];
		for (let index = 0; index < 2; index++) ids.push((await shell.api.post(shell.sender)).json.id);
		for (const id of ids) await shell.api.sent(id);
		const set = { state: "sending", "attempts.0.outcome": "ambiguous", "attempts.0.code": "timeout" };
		for (const id of ids) await shell.api.store.messages.transition({ id, set });
		const { code, out } = await shell.run("doubts");
		assert.equal(code, 0);
		const lines = out.trimEnd().split("\n");
		assert.deepEqual(new Set(lines.map((line) => line.split("  ")[0])), new Set(ids));
		const ends = "ends by a receipt, or by itself at \\S+Z; past cancelling";
		for (const line of lines)
			assert.match(line, new RegExp(`^msg_\\S+ {2}sending {2}since \\S+Z {2}shell {2}timeout {2}${ends}$`));
		const { items } = JSON.parse((await shell.run("doubts", "--json")).out);
		assert.equal(items.length, 2);
		for (const id of ids) await shell.api.store.messages.transition({ id, set: { state: "unknown" } });
		const over = (await shell.run("doubts")).out.trimEnd().split("\n");
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
		const { code, out } = await shell.run("--help");
		assert.equal(code, 0);
		assert.ok(out.trimEnd().endsWith(made), out);
		assert.doesNotMatch(out, /^ {2}(add|create|remove|delete)/m);
	});

	it("has doctor tell what the alerts tell of every tenant, a warning as a warning", async () => {
		const { keyId: about } = await shell.api.addKey(shell.tenantId);
		await shell.api.evidence.append([
			{ type: "credential_alert", code: "new_address", tenantId: shell.tenantId, about, by: about },
		]);
		const unset = { _id: "unset", carrier: "telnyx", sender: "Lethe", settings: {}, paused: true };
		await shell.api.store.sendQueues.put(unset);
		const { code, out } = await shell.administer(["doctor"]);
		assert.match(out, /^ok {3}quarantine: none$/m);
		await shell.api.store.sendQueues.remove("unset");
		assert.equal(code, 1);
		assert.match(out, /^FAIL carrier credentials: unset lacks the setting messagingProfileId\n/m);
		assert.match(
			out,
			new RegExp(`^WARN credential_suspect: ${about} \\(new_address\\) since .*\\n {5}→ Look into`, "m"),
		);
		assert.doesNotMatch(out, /nothing is late/);
	});
});
