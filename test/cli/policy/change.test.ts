// `lethe policy` as a shell sees a change of policy: each step, its exit code, and every fault with its line and mend.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { createSimulate } from "../../../activities/simulate.ts";
import { createProgress } from "../../../cli/progress.ts";
import type { Policies } from "../../../policies/index.ts";
import { nextVersion } from "../../../policies/published.ts";
import { createTestApi, type TestApi } from "../../api/harness.ts";
import { editedText, shippedVersion } from "../../harness/policies.ts";

const lethe = fileURLToPath(new URL("../../../cli/lethe.ts", import.meta.url));

describe("lethe policy, against an API", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-change-"));
	let api: TestApi;
	let url: string;
	let author: string;
	let approver: string;
	before(async () => {
		api = await createTestApi((deps) => ({ policies: deps.packs as Policies }));
		const tenant = await api.addTenant({ governsPolicies: true, roles: ["compliance", "sender"] });
		author = tenant.key;
		approver = (await api.addPerson(tenant.tenantId, ["approver"])).token;
		url = await api.app.listen({ host: "127.0.0.1", port: 0 });
	});
	after(async () => {
		await api.close();
		rmSync(folder, { recursive: true, force: true });
	});

	function run(args: string[], key = author): Promise<{ code: number; out: string; error: string }> {
		return new Promise((resolve) => {
			const target = args[0] === "test" ? [] : ["--url", url, "--key", key];
			const all = [lethe, "policy", ...args, ...target];
			execFile(process.execPath, all, { encoding: "utf8", cwd: folder }, (failure, out, error) =>
				resolve({ code: failure ? Number(failure.code) : 0, out, error }),
			);
		});
	}
	function file(name: string, text: string): string {
		const path = join(folder, name);
		writeFileSync(path, text);
		return path;
	}
	const idIn = (out: string) => /prp_\w+/.exec(out)?.[0] ?? "";

	it("lists the proposals page by page, as JSON too, and none as none", async () => {
		const none = { state: ["--state", "published"], page: { items: [] } };
		assert.deepEqual(await run(["proposals", ...none.state]), { code: 0, out: "", error: "none\n" });
		assert.deepEqual(JSON.parse((await run(["proposals", ...none.state, "--json"])).out), none.page);
		for (const set of ["P5D", "P6D"]) {
			const change = ["--set", `defaults.retention:retention.content.max=${set}`];
			await run(["propose", "--pack", "defaults", ...change, "--why", "Days are enough"]);
		}
		const { items, next } = JSON.parse((await run(["proposals", "--limit", "1", "--json"])).out);
		const rest = JSON.parse((await run(["proposals", "--cursor", next, "--json"])).out);
		assert.deepEqual([items.length, rest.items.length, rest.next], [1, 1, undefined]);
		for (const { id } of [...items, ...rest.items]) await run(["withdraw", id]);
	});

	it("leads from a change in words to a version in force, and each step names the next", async () => {
		const set = ["--set", "defaults.retention:retention.content.max=P7D"];
		const proposed = await run(["propose", "--pack", "defaults", ...set, "--why", "A week is enough"]);
		assert.equal(proposed.code, 0, proposed.error);
		assert.match(proposed.out, /content is kept at most 30 days → at most 7 days/);
		const id = idIn(proposed.out);
		const checked = await run(["check", id]);
		assert.equal(checked.code, 0, checked.error);
		assert.match(checked.out, new RegExp(`cases pass\\nnext: lethe policy simulate ${id}`));

		const { simulatePages } = createSimulate({ ...api, monotonic: () => 0, policies: api.stored });
		const working = setInterval(() => void simulatePages(id), 200);
		const simulated = await run(["simulate", id]);
		clearInterval(working);
		assert.equal(simulated.code, 0, simulated.error);
		assert.match(simulated.out, /0 messages looked at/);
		assert.match(simulated.error, /simulating \[#+\] 100%/);

		const own = await run(["approve", id]);
		assert.equal(own.code, 1);
		assert.match(own.error, /^lethe policy approve: forbidden: .*the role approver.*`lethe login`.*\n$/);
		const approved = await run(["approve", id], approver);
		assert.equal(approved.code, 0, approved.error);
		assert.match(approved.out, /approved by usr_\w+\)/);
		const published = await run(["publish", id, "--json"]);
		assert.equal(JSON.parse(published.out).state, "published");
		const context = { evaluatedAt: "2099-01-01T00:00:00Z", lawfulBasis: "contract" };
		const facts = JSON.stringify({ recipientCountry: "DE", category: "transactional", context });
		const decided = await run(["decide", "--facts", file("facts.json", facts)]);
		assert.deepEqual([decided.code, decided.error], [0, ""]);
		const decision = JSON.parse(decided.out);
		const { version } = JSON.parse(published.out);
		assert.equal(decision.contentRetentionMax, "P7D", decided.out);
		assert.ok(
			decision.packs.some((one: object) => isDeepStrictEqual(one, { id: "defaults", version })),
			decided.out,
		);
		const again = await run(["publish", id]);
		assert.deepEqual([again.code, /proposal_state.*It is published/.test(again.error)], [1, true]);

		const list = await run(["list"]);
		const shipped = shippedVersion("defaults");
		const changed = nextVersion(shipped);
		assert.match(list.out, new RegExp(`defaults ${changed} +(coming|in force) .*published, approved by usr_`));
		const shown = await run(["proposals", id]);
		assert.match(shown.out, /at most 7 days/);
		assert.match(shown.out, /approved by usr_\w+\)?/);
		assert.match((await run(["diff", `defaults@${shipped}`, `defaults@${changed}`])).out, /→ at most 7 days/);
	});

	it("refuses a mistyped effect, an unknown field, an overlapping version and a failing case, with line and mend", async () => {
		const cases: [string, string, RegExp][] = [
			[
				"effect",
				edit((text) => text.replace("    deny:\n", "    denny:\n")),
				/^line \d+: .*denny.*Did you mean deny\?/m,
			],
			[
				"field",
				edit((text) => text.replace("title:", "tittle: x\ntitle:")),
				/^line \d+: .*tittle.*Did you mean title\?/m,
			],
			[
				"overlap",
				edit((text) => text.replace("2026-11-24", "2000-01-01")),
				/^line \d+: .*overlaps.*Let it begin after/,
			],
			["case", edit((text) => text.replace("allowed: false", "allowed: true")), /^line \d+: case .*Correct the rule/],
		];
		for (const [name, text, expected] of cases) {
			const path = file(`${name}.yaml`, text);
			const { out } = await run(["propose", path, "--why", "A mistake"]);
			const { code, out: faults, error } = await run(["check", idIn(out)]);
			assert.equal(code, 1, name);
			assert.match(faults, expected);
			assert.match(error, /^lethe policy check: policy_refused: \d+ fault\(s\): .*\n$/);
			const offline = await run(["test", path]);
			assert.deepEqual(
				[offline.code, expected.test(offline.out.replace(/^.*?:(\d+): /gm, "line $1: "))],
				[1, true],
				offline.out,
			);
		}
		const fine = await run([
			"test",
			file(
				"fine.yaml",
				edit((text) => text),
			),
		]);
		assert.deepEqual([fine.code, /^1 cases, 0 fault\(s\)$/m.test(fine.out)], [0, true]);
	});

	it("waits no longer than its patience when no worker goes on, says so, and has lost nothing", async () => {
		const { simulatePages } = createSimulate({ ...api, monotonic: () => 0, policies: api.stored });
		const step = async (path: string, key: string, body: object = {}) => {
			const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
			const answer = await fetch(`${url}/v1/policy-proposals${path}`, {
				method: "POST",
				headers,
				body: JSON.stringify(body),
			});
			assert.ok(answer.ok, path);
			return (await answer.json()) as { id: string };
		};
		const checked = async (pack: string) => {
			const { id } = await step("", author, { text: editedText(pack, "1.9.0", () => undefined), why: "Nobody works" });
			await step(`/${id}/check`, author);
			return id;
		};
		const first = await checked("fr");
		const stalled = await run(["simulate", first, "--patience", "1"]);
		assert.equal(stalled.code, 1);
		assert.match(stalled.error, /nothing has moved for 1 s\. Is a worker running\? See `lethe doctor`\./);
		await simulatePages(first);
		await step(`/${first}/approve`, approver);
		const waiting = await run(["publish", first, "--wait", "--patience", "6"]);
		assert.equal(waiting.code, 1);
		assert.match(waiting.error, /nothing has moved for 6 s\. It is published\. Is a worker running\?/);

		const second = await checked("de");
		await step(`/${second}/simulate`, author);
		await simulatePages(second);
		await step(`/${second}/approve`, approver);
		const past = await run(["publish", second, "--from", "2026-01-01T00:00:00Z"]);
		assert.deepEqual([past.code, /--from lies in the past\. Leave it out/.test(past.error)], [2, true], past.error);
		const from = new Date(Date.now() + 3600_000).toISOString();
		const ahead = await run(["publish", second, "--wait", "--from", from]);
		assert.deepEqual([ahead.code, /not waited for: it is in force from/.test(ahead.error)], [0, true], ahead.error);
		assert.equal((await run(["simulate", second, "--patience", "0"])).code, 2);
	});

	it("explains a message as a person reads it, and as JSON", async () => {
		const { json } = await api.post(author, { lawfulBasis: "contract" });
		const { code, out } = await run(["explain", json.id]);
		assert.equal(code, 0);
		for (const part of [
			/may be sent, judged as of/,
			/Decisive rule:\n {2}gdpr\./,
			/^Mode: enforced$/m,
			/source: GDPR/,
			/Kept:\n {2}content: until the message is final/,
			/at most .* by defaults\.retention/,
			/Judged by:\n {2}/,
			/the same decision\.\n$/,
		]) {
			assert.match(out, part);
		}
		assert.equal(JSON.parse((await run(["explain", json.id, "--json"])).out).messageId, json.id);
		await api.connection.collection("messages").updateOne({ _id: json.id }, { $set: { holds: ["hld_a"] } });
		assert.match((await run(["explain", json.id])).out, /^Kept:\n {2}held: nothing of it is erased/m);
		const noted = { check: "velocity", verdict: "noted", reason: "PREFIX_VELOCITY", country: "DE" };
		await api.connection.collection("messages").updateOne({ _id: json.id }, { $set: { abuse: [noted] } });
		assert.match((await run(["explain", json.id])).out, /^Mode: monitor; .*refused it:\n {2}PREFIX_VELOCITY: \w/m);
		await api.connection.collection("messages").updateOne({ _id: json.id }, { $set: { "decision.reasons": [] } });
		const forged = await run(["explain", json.id]);
		assert.deepEqual([forged.code, /NOT THE SAME \(decision: reasons\)/.test(forged.out)], [1, true]);
		const absent = await run(["explain", "msg_nothing"]);
		assert.deepEqual([absent.code, /^[^\n]*not_found: .* Correct its id[^\n]*\n$/.test(absent.error)], [1, true]);
	});

	it("misuse is exit 2 and one line that names the mend", async () => {
		const misuses: [string[], RegExp][] = [
			[["propose", "--why", "No draft"], /give a file, or --pack with at least one --set/],
			[["propose", "--pack", "defaults", "--set", "nonsense", "--why", "Why"], /--set takes rule:path=value/],
			[["propose", "absent.yaml", "--why", "Why"], /absent\.yaml can't be read/],
			[
				["propose", "--pack", "defaults", "--set", "defaults.retention:retention.contents.max=P1D", "--why", "Why"],
				/--set: It names no value of that rule\. `lethe policy show` prints/,
			],
			[["diff", "No such thing"], /neither a file nor a pack/],
			[["diff", "defaults@1.0.0", "otp@1.0.0"], /are two packs/],
		];
		for (const [args, expected] of misuses) {
			const { code, error } = await run(args);
			assert.equal(code, 2, args.join(" "));
			assert.match(error, expected);
			assert.equal(error.trim().split("\n").length, 1);
		}
		const away = await run(["list", "--url", "http://127.0.0.1:1"]);
		assert.equal(away.code, 0, "the last --url counts");
		assert.equal((await run(["publish"])).code, 2);
		assert.match((await run(["publish", "--help"])).out, /--wait/);
	});

	function edit(change: (text: string) => string): string {
		const text = editedText("pci", "1.9.0", () => undefined);
		return change(text);
	}
});

describe("the progress bar", () => {
	it("is redrawn in place on a terminal, and told now and then elsewhere", () => {
		const lines: string[] = [];
		const out = (isTTY: boolean) => ({ isTTY, write: (text: string) => lines.push(text) > 0 });
		const terminal = createProgress("simulating", out(true));
		terminal.show(410_000, 1_000_000);
		terminal.end();
		assert.deepEqual(lines, [`\rsimulating [${"#".repeat(12)}${".".repeat(18)}] 41% 410,000 of 1,000,000`, "\n"]);
		lines.length = 0;
		const pipe = createProgress("simulating", out(false));
		for (let done = 0; done <= 1_000; done += 10) pipe.show(done, 1_000);
		pipe.end();
		assert.ok(lines.length >= 10 && lines.length <= 12, `${lines.length}`);
		assert.match(lines.at(-1) ?? "", /100% 1,000 of 1,000\n$/);
	});
});
