// `lethe requests` as a shell sees it: from the record of a request to its answer, exit codes and one line that names the mend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi, number, type TestApi } from "../api/harness.ts";
import { run as runProgram } from "../harness/programs.ts";

const lethe = fileURLToPath(new URL("../../cli/lethe.ts", import.meta.url));

describe("lethe requests, against an API", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-requests-"));
	let api: TestApi;
	let url: string;
	let key: string;
	before(async () => {
		api = await createTestApi(() => ({ policies: openPolicies() }));
		({ key } = await api.addTenant({ roles: ["compliance"] }));
		url = await api.app.listen({ host: "127.0.0.1", port: 0 });
	});
	after(async () => {
		await api.close();
		rmSync(folder, { recursive: true, force: true });
	});

	const run = (...args: string[]): Promise<{ code: number; out: string; error: string }> =>
		new Promise((resolve) => {
			const all = [lethe, "requests", ...args, "--url", url, ...(args.includes("--key") ? [] : ["--key", key])];
			execFile(process.execPath, all, { encoding: "utf8", cwd: folder }, (failure, out, error) =>
				resolve({ code: failure ? Number(failure.code) : 0, out, error }),
			);
		});

	it("lists none as none, on standard error, and as JSON as the empty list that it is", async () => {
		assert.deepEqual(await run("list"), { code: 0, out: "", error: "none\n" });
		const { out, error } = await run("list", "--json");
		assert.deepEqual([JSON.parse(out).items, error], [[], ""]);
	});

	it("leads from a letter to its answer", async () => {
		const recorded = await run(
			"record",
			"--number",
			"+4915112345888",
			"--kind",
			"correction",
			"--channel",
			"letter",
			"--json",
		);
		assert.equal(recorded.code, 0, recorded.error);
		const { id, clocks } = JSON.parse(recorded.out);
		const listed = await run("list");
		assert.match(listed.out, new RegExp(`^${id}  correction  received  answer by ${clocks.respondBy}\\n$`));
		const early = await run("close", id, "--outcome", "granted");
		assert.deepEqual([early.code, /^lethe requests close: request_state: /.test(early.error)], [1, true]);
		const proof = ["--method", "id_document", "--evidence", "case-b", "--owned-from", "2021-01-01T00:00:00Z"];
		assert.match((await run("identity", id, ...proof)).out, /deciding/);
		const shown = (await run("show", id)).out;
		assert.match(shown, /task correction: open\n/);
		assert.match(shown, new RegExp(`may be extended to ${clocks.extendableTo}`));
		const unasked = await run("export", id, "--purpose", "answer");
		assert.deepEqual([unasked.code, /request_state: .*Only access and portability/.test(unasked.error)], [1, true]);
		await run("decide", id, "--task", "correction", "--verdict", "done", "--ground", "mended");
		const untold = await run("extend", id, "--to", clocks.extendableTo, "--reason", "complex");
		assert.deepEqual([untold.code, /--told-at/.test(untold.error)], [2, true]);
		const told = ["--told-at", new Date().toISOString()];
		const extended = await run("extend", id, "--to", clocks.extendableTo, "--reason", "complex", ...told);
		assert.match(extended.out, new RegExp(`answer by ${clocks.extendableTo}`));
		assert.match((await run("close", id, "--outcome", "granted")).out, /closed +granted at /);
		assert.match((await run("show", id)).out, /task correction: done\n/);
	});

	it("says after each step what was done and what may follow, as a command", async () => {
		const after = async (...words: string[]) => {
			const { code, out, error } = await run(...words);
			assert.equal(code, 0, error);
			const [line = "", done, next] = out.trimEnd().split("\n");
			return { id: line.split(" ")[0] as string, done, next: next?.split(" ").slice(0, 4).join(" ") };
		};
		const { id, ...recorded } = await after("record", "--number", "+4915112345886", "--kind", "correction");
		assert.deepEqual(recorded, { done: "recorded", next: "next: lethe requests identity" });
		const told = await after("acknowledge", id);
		assert.deepEqual([told.done, told.next], ["acknowledged", "next: lethe requests identity"]);
		const proof = ["--method", "id_document", "--evidence", "case-b", "--owned-from", "2021-01-01T00:00:00Z"];
		assert.match((await after("identity", id, ...proof, "--failed")).done ?? "", /failed/);
		assert.equal((await after("identity", id, ...proof)).next, "next: lethe requests decide");
		const decision = ["--task", "correction", "--verdict", "done", "--ground", "mended"];
		const decided = await after("decide", id, ...decision);
		assert.deepEqual([decided.done, decided.next], ["decided: correction done", "next: lethe requests close"]);
		const closed = await after("close", id, "--outcome", "granted");
		assert.deepEqual([closed.done, closed.next], ["closed: granted", undefined]);
	});

	it("tells whose hold restricts, as it begins, while it lasts and once the request is closed; and until when the number was whose", async () => {
		const asked = ["--number", "+4915112345885", "--kind", "restriction", "--reference", "letter-12"];
		const [id = ""] = (await run("record", ...asked)).out.split(" ");
		const proof = ["--method", "id_document", "--evidence", "case-b", "--owned-from", "2021-01-01T00:00:00Z"];
		const begun = await run("identity", id, ...proof);
		const [, holdId] = /^restricted by (hld_\w+): `lethe holds release \1` lifts that/m.exec(begun.out) ?? [];
		assert.equal((await api.store.subjectRecords.find(holdId ?? ""))?.kind, "hold", begun.out);
		const shown = (await run("show", id)).out;
		assert.match(shown, new RegExp(`^ {2}restricted by ${holdId}: `, "m"));
		assert.match(shown, /^ {2}reference letter-12\n {2}the number was theirs from 2021-01-01T00:00:00\.000Z to now$/m);
		const closed = await run("close", id, "--outcome", "withdrawn");
		assert.match(closed.out, new RegExp(`^closed: withdrawn\nrestricted by ${holdId}: `, "m"));
	});

	it("tells that a check of who asks has failed, and of an erasure that was refused that it stopped", async () => {
		const asked = ["--number", "+4915112345883", "--kind", "erasure"];
		const [id = ""] = (await run("record", ...asked)).out.split(" ");
		const proof = ["--method", "id_document", "--evidence", "case-b", "--owned-from", "2021-01-01T00:00:00Z"];
		await run("identity", id, ...proof, "--failed");
		assert.match((await run("show", id)).out, /^ {2}the check of \S+Z has failed: nothing begins$/m);
		await run("identity", id, ...proof);
		const begun = (await run("show", id)).out;
		assert.match(begun, /^ {2}erasure under way: 0 object\(s\) erased$/m);
		assert.ok(!begun.includes("has failed"), begun);
		await run("close", id, "--outcome", "refused", "--ground", "not_theirs");
		assert.match((await run("show", id)).out, /^ {2}erasure stopped: 0 object\(s\) erased$/m);
	});

	it("names some of the messages that a task is about, and tells reminders as what was", async () => {
		const recorded = await run("record", "--number", "+4915112345884", "--kind", "erasure", "--json");
		const { id } = JSON.parse(recorded.out);
		const task = { name: "conflict", reasons: ["X"], citations: ["GDPR"], raisedAt: 1 };
		const messageIds = Array.from({ length: 6 }, (_, index) => `msg_${index}`);
		await api.store.subjectRequests.change(id, (current) => ({
			...current,
			tasks: [{ ...task, messageIds }],
			alerts: [{ code: "decision_due", at: 1 }],
		}));
		const shown = (await run("show", id)).out;
		assert.match(
			shown,
			/^ {2}task conflict: open \(X, GDPR\), about msg_0, msg_1, msg_2, msg_3, msg_4 and others: --json names them$/m,
		);
		assert.match(shown, /^ {2}reminder decision_due at 1970-01-01T00:00:00\.001Z$/m);
	});

	/** `requests export --out` to an API that makes the export and answers so to the look afterwards. */
	async function exportBeside(look: (answer: ServerResponse) => void, name: string, ...more: string[]) {
		const server = createServer((request, answer) => {
			answer.setHeader("content-type", "application/json");
			if (request.method === "GET") look(answer);
			else answer.end(JSON.stringify({ kept: [] }));
		}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const to = ["--url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, "--key", "k"];
		const file = join(folder, name);
		const args = ["requests", "export", "dsr_x", "--purpose", "answer", "--out", file, ...more, ...to];
		const said = await runProgram(process.execPath, ["cli/lethe.ts", ...args]);
		server.close();
		assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { kept: [] });
		return { ...said, file };
	}

	it("names the file of an export and what may follow it", async () => {
		const about = { id: "dsr_x", kind: "access", state: "deciding", clocks: {}, tasks: [] };
		const view = { ...about, exports: [{ report: "data" }] };
		const look = (answer: ServerResponse) => answer.end(JSON.stringify(view));
		const { code, out, error, file } = await exportBeside(look, "access.json");
		assert.deepEqual([code, error], [0, ""]);
		const [line = "", ...rest] = out.trimEnd().split("\n");
		assert.match(line, /^dsr_x {2}access/);
		assert.deepEqual(rest, [`exported to ${file}`, "next: lethe requests close dsr_x --outcome OUTCOME"]);
		assert.deepEqual(JSON.parse((await exportBeside(look, "told.json", "--json")).out), view);
	});

	it("takes no export that was made for failed because the look afterwards fails", async () => {
		const unavailable = JSON.stringify({ code: "store_unavailable", title: "The store is away.", retryable: true });
		for (const [name, look] of [
			["refused", (answer) => answer.writeHead(503, { "content-type": "application/problem+json" }).end(unavailable)],
			["reset", (answer) => answer.destroy()],
			["html", (answer) => answer.end("<html>")],
			["empty", (answer) => answer.end("{}")],
			[
				"cut",
				(answer) => {
					answer.writeHead(200, { "content-length": 500 }).write("{");
					setTimeout(() => answer.destroy(), 50);
				},
			],
		] as const satisfies [string, (answer: ServerResponse) => void][]) {
			const { code, out, error, file } = await exportBeside(look, `${name}.json`, "--json");
			assert.deepEqual([code, out], [0, ""], name + error);
			assert.ok(error.startsWith(`lethe requests export: exported to ${file}; `), error);
			assert.equal(error.trimEnd().split("\n").length, 1, error);
		}
	});

	it("says of a closed request no more by when it may be extended", async () => {
		const { id } = JSON.parse((await run("record", "--number", "+4915112345887", "--kind", "access", "--json")).out);
		assert.match((await run("show", id)).out, /may be extended to/);
		await run("close", id, "--outcome", "withdrawn");
		assert.doesNotMatch((await run("show", id)).out, /may be extended to/);
	});

	it("takes what decides which law's clock runs: whose patient it is and where somebody lives; without a clock it says whom to ask", async () => {
		const { key: hospital, tenantId } = await api.addTenant({ roles: ["compliance"] });
		const tenant = await api.store.tenants.find(tenantId);
		if (tenant) await api.store.tenants.put({ ...tenant, establishment: "US" });
		const record = async (...more: string[]) => {
			const { code, out, error } = await run("record", "--kind", "access", "--key", hospital, ...more);
			assert.equal(code, 0, error);
			return out;
		};
		const patient = ["--number", "+16145550123", "--data-class", "health"];
		const dated = /answer by \d{4}-\d\d-\d\d$/m;
		assert.match(await record(...patient, "--covered-entity"), dated);
		assert.match(await record("--number", "+16145550123", "--residence", "US-CA"), dated);
		assert.match(await record(...patient), /no pack here sets a date for this; have counsel look$/m);
	});

	it("writes a record to a file that is its owner's alone, and over none that is there", async () => {
		const written = await run("log", "--html", "--out", "log.html");
		assert.equal(written.code, 0, written.error);
		const path = join(folder, "log.html");
		assert.match(readFileSync(path, "utf8"), /<h1>Log of subjects&#39; requests<\/h1>/);
		assert.equal(statSync(path).mode & 0o077, 0);
		const again = await run("processing", "--out", "log.html");
		assert.deepEqual(
			[again.code, again.error],
			[2, "lethe requests processing: log.html can't be written, or is there already: give another --out.\n"],
		);
		assert.equal(JSON.parse((await run("processing")).out).activities.length, 4);
	});

	it("lists page by page, and says how to go on", async () => {
		assert.equal((await run("record", "--number", "+4915112345889", "--kind", "access")).code, 0);
		const first = await run("list", "--limit", "1");
		const [, cursor = ""] = /^more: lethe requests list --cursor (\S+)\n$/.exec(first.error) ?? [];
		const second = await run("list", "--limit", "1", "--cursor", cursor);
		assert.match(second.out, /^dsr_\w+ [^\n]*\n$/, second.error);
		assert.notEqual(second.out, first.out);
	});

	it("asks for no export that there is no file for, and leaves none of one that is refused", async () => {
		const ask = (out: string) => run("export", "dsr_x", "--purpose", "answer", "--out", out);
		writeFileSync(join(folder, "there.json"), "");
		const taken = await ask("there.json");
		assert.deepEqual([taken.code, /there\.json can't be written/.test(taken.error)], [2, true], taken.error);
		const refused = await ask("new.json");
		assert.deepEqual([refused.code, /: not_found: /.test(refused.error)], [1, true], refused.error);
		assert.ok(!existsSync(join(folder, "new.json")));
	});

	it("misuse is one line and exit code 2", async () => {
		const missing = await run("record", "--kind", "access");
		assert.equal(missing.code, 2);
		assert.match(missing.error, /^lethe requests record: .*--number.*\n$/);
		const wrong = await run("record", "--number", "+49151", "--kind", "access");
		assert.deepEqual([wrong.code, /^lethe requests record: invalid_number: /.test(wrong.error)], [1, true]);
		assert.ok(!wrong.error.includes("+49151"));
	});

	describe("the commands over what is on record", () => {
		let every: string;
		let tenantId: string;
		before(async () => {
			const tenant = await api.addTenant({ roles: ["sender", "compliance", "operator", "admin"] });
			[every, tenantId] = [tenant.key, tenant.tenantId];
		});
		const say = (words: string, { input = "", by = every } = {}) =>
			runProgram(process.execPath, [lethe, ...words.split(" "), "--url", url, "--key", by], { input });
		const done = async (words: string, input = "") => {
			const { code, out, error } = await say(words, { input });
			assert.equal(code, 0, `${words}: ${error}`);
			return { out, error, id: out.split(" ")[0] as string };
		};

		it("a hold on a number that no shell remembers, until its release", async () => {
			const placed = await done(
				"holds place --scope subject --number - --ground litigation --reason case-1",
				`${number}\n`,
			);
			assert.match(placed.out, /^hld_\w+ {2}subject {3}litigation\/case-1 {2}since \S+\n$/);
			assert.ok(!placed.out.includes(number.slice(1)));
			const released = JSON.parse((await done(`holds release ${placed.id} --json`)).out);
			assert.ok(Date.parse(released.released.at));
			assert.match((await done("holds list")).out, new RegExp(`^${placed.id} .* released at `));
			const about = { tenantId, subjects: [tenantId], ground: "audit", recordedBy: "key_x" };
			const hold = { ...about, kind: "hold" as const, scope: "tenant" as const };
			const times = { at: 1, recordedAt: 1, approvedBy: "usr_x" };
			const ended = { at: 2, recordedAt: 2, recordedBy: "usr_x", source: "rejected" } as const;
			for (const [id, decided, says] of [
				["hld_a", { awaits: tenantId }, / {2}being put on, nothing is purged meanwhile {2}waits for usr_x$/m],
				["hld_b", { approvedAt: 2 }, / {2}approved by usr_x at 1970-01-01T00:00:00.002Z$/m],
				["hld_c", { ended }, / {2}rejected by usr_x at 1970-01-01T00:00:00.002Z$/m],
				["hld_e", { appliedAt: 5 }, / {2}on all of it since 1970-01-01T00:00:00.005Z {2}waits for usr_x$/m],
			] as const) {
				await api.store.subjectRecords.insert({ ...hold, ...times, ...decided, _id: id });
				const line = (await done("holds list")).out.split("\n").find((one) => one.startsWith(`${id} `));
				assert.match(line ?? "", says);
			}
			const reviewed = await done(
				"holds place --scope subject --number - --ground audit --review-at 2099-01-01T00:00:00Z",
				`${number}\n`,
			);
			assert.match(reviewed.out, / {2}since \S+, review at 2099-01-01T00:00:00\.000Z\n$/);
			await api.store.subjectRecords.insert({ ...hold, ...times, reviewAt: 3, _id: "hld_d" });
			assert.match((await done("holds list")).out, /^hld_d .*, review was due at 1970-01-01T00:00:00\.003Z/m);
			const wide = await say("holds place --scope tenant --ground audit");
			assert.deepEqual([wide.code, /^lethe holds place: invalid_request: --approved-by: /.test(wide.error)], [2, true]);
		});

		it("an opt-out is recorded, seen, and lifted by an opt-in that is newer", async () => {
			const numbered = { input: `${number}\n` };
			const none = await say("opt-outs check --number -", numbered);
			// A hold or a restriction may forbid sending all the same.
			assert.deepEqual([none.code, none.out], [0, "no opt-out stands\n"]);
			assert.deepEqual(await done("recipient-keys list --number -", `${number}\n`).then(({ out }) => out), "");
			await done("opt-outs record --number - --scope all --at 2026-01-01T00:00:00Z", `${number}\n`);
			const { code, out } = await say("opt-outs check --number -", numbered);
			const [, id] = /^blocked: all\n(opt_\w+)/.exec(out) ?? [];
			assert.deepEqual([code, typeof id], [1, "string"]);
			const stale = await say(`opt-outs lift ${id} --obtained-at 2025-01-01T00:00:00Z --evidence form-1`);
			assert.deepEqual([stale.code, /^lethe opt-outs lift: opt_in_not_fresh: /.test(stale.error)], [1, true]);
			await done(`opt-outs lift ${id} --obtained-at 2026-02-01T00:00:00Z --evidence form-1`);
			assert.match((await done("opt-outs list")).out, /, lifted at 2026-02-01/);
		});

		it("a consent is recorded, seen by its number, and withdrawn", async () => {
			const about =
				"--type express --purpose marketing --obtained-at 2026-01-01T00:00:00Z --wording w-1 --evidence e-1";
			const { id } = await done(`consents record --number - ${about}`, `${number}\n`);
			// The number has opted out since, and in again: that counts, and the consent of before does not.
			assert.match(
				(await done("consents check --number -", `${number}\n`)).out,
				new RegExp(
					`^${id}  express  marketing .*  counts for nothing: .*\nopted in to marketing again at 2026-02-01\\S+: an express consent to it\n$`,
				),
			);
			const other = "+4915112345998";
			await done(`consents record --number - ${about.replace("marketing", "marketing health")}`, `${other}\n`);
			assert.doesNotMatch((await done("consents check --number -", `${other}\n`)).out, /blocked|counts|alone/);
			await done("opt-outs record --number - --scope marketing", `${other}\n`);
			assert.match(
				(await done("consents check --number -", `${other}\n`)).out,
				/^blocked: marketing, whatever is agreed to\ncns_\w+ {2}express {2}marketing health .* {2}now for health alone\n$/,
			);
			assert.match((await done(`consents withdraw ${id}`)).out, /, withdrawn at /);
			assert.equal((await done("consents check --number -", "+4915112345999\n")).out, "nothing is on record\n");
		});

		it("a template from a file, its list page by page, its end", async () => {
			writeFileSync(join(folder, "t.txt"), "At {{when}}.\n");
			const create = (name: string) =>
				done(`templates create --name ${name} --file ${folder}/t.txt --variable when=contact:40`);
			const [first, second] = [await create("one"), await create("two")];
			const page = await done("templates list --limit 1");
			assert.match(page.out, new RegExp(`^${second.id}  two  since \\S+\n$`));
			const [, next = ""] = /^more: lethe (templates list --cursor \S+)\n$/.exec(page.error) ?? [];
			assert.match((await done(next)).out, new RegExp(`^${first.id} `));
			assert.match(
				(await done(`templates show ${first.id}`)).out,
				/\n {2}when: contact, at most 40 characters\nAt \{\{when\}\}\.\n$/,
			);
			const taken = await say(`templates create --name two --file ${folder}/t.txt --variable when=contact:40`);
			assert.deepEqual([taken.code, /^lethe templates create: template_name_taken: /.test(taken.error)], [1, true]);
			assert.match((await done(`templates retire ${second.id}`)).out, /retired at/);
			await create("two");
		});

		it("an endpoint, its deliveries, telling it again, and what needs a person", async () => {
			const added = await done("webhooks add https://hooks.example.com/lethe --default");
			assert.match(added.out, /^whe_\w+ {2}unverified {2}https:\S+ {2}default\nsecret, shown this once: whsec_/);
			assert.match(
				(await done(`webhooks deliveries ${added.id}`)).out,
				/^whd_\w+ {2}\S+ {2}endpoint.challenge {2}waiting\n$/,
			);
			const early = await say(`webhooks enable ${added.id}`);
			assert.deepEqual([early.code, /endpoint_unverified/.test(early.error)], [1, true]);
			const set = { state: "disabled", verifiedAt: 1, disabledFor: "gone", disabledAt: 1 } as const;
			await api.store.webhookEndpoints.change(added.id, ["unverified"], { set });
			await api.store.webhookDeliveries.insert([
				{
					...{ _id: api.ids.random("webhookDelivery"), tenantId, endpointId: added.id, at: api.clock(), tryUntil: 1 },
					event: { messageId: "msg_a", submissionId: "sub_a", state: "delivered", sequence: 1 },
					...{ state: "delivered", failures: 0, tries: [], eraseBy: api.clock() + 60_000 },
				},
			]);
			const first = await done(`webhooks deliveries ${added.id} --limit 1`);
			const [, next = ""] = /^more: lethe (webhooks deliveries \S+ --cursor \S+)\n$/.exec(first.error) ?? [];
			assert.match((await done(next)).out, /^whd_\w+ /);
			const alerts = await say("alerts");
			assert.equal(alerts.code, 1, alerts.error);
			assert.match(alerts.out, new RegExp(`^warning   webhook_endpoint_failed ${added.id} since 1970`, "m"));
			assert.match((await done(`webhooks enable ${added.id}`)).out, / {2}enabled /);
			assert.match((await done(`webhooks replay ${added.id} --from 2026-01-01T00:00:00Z`)).out, /^0 delivery/);
			assert.match((await done(`webhooks replay ${added.id} --from 2026-01-01T00:00:00Z --all`)).out, /^1 delivery/);
			assert.match((await say(`webhooks replay ${added.id}`)).error, /^lethe webhooks replay: give a time with --from/);
			await done(`webhooks remove ${added.id}`);
			assert.equal((await done("webhooks list")).out, "");
		});

		it("the keys, to whoever may see them", async () => {
			assert.match((await done("api-keys list")).out, /^key_\w+ {2}active {3}sender compliance operator admin {2}/);
			const { code, error } = await say("api-keys list", { by: key });
			assert.deepEqual([code, /^lethe api-keys list: forbidden: .*admin or auditor/.test(error)], [1, true]);
		});
	});
});
