// What the README says, done on a fresh clone: its commands run as they stand, in order, and its picture shows what one sees.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Client, Connection } from "@temporalio/client";
import { magicNumber } from "../stack/carrier/magic.ts";
import { runLines } from "../stack/picture.ts";
import { readStackFile, type StackState } from "../stack/stackFile.ts";
import { makeClone } from "./harness/clone.ts";
import { bareEnvironment, type Program, run, runs, start } from "./harness/programs.ts";
import { readTreeFile } from "./tidy/tree.ts";

type Block = { language: string; file: string | undefined; text: string };

/** The fenced blocks of a page; the word after the language names the file that holds the text. */
function blocksOf(page: string): Block[] {
	return [...page.matchAll(/^```(\w*) ?(\S*)\n(.*?)^```$/gms)].map(([, language = "", file, text = ""]) => {
		return { language, file: file || undefined, text };
	});
}

/** Two runs of the same kind look the same: what differs each time is told by its kind, servers in one order. */
function shapeOf(lines: string[]): string[] {
	const shape = lines.map((line) =>
		line
			.replace(/\b([a-z]{3}_)\w{26}\b/, "$1…")
			.replace(/\d{4}-\d\d-\d\dT/, "date ")
			.replace(/\d\d:\d\d:\d\d\.\d{3}/, "time")
			.replace(/\(\d+\.\d s\)/, "(time)"),
	);
	return [
		...shape.filter((line) => line.endsWith("(time)")).sort(),
		...shape.filter((line) => !line.endsWith("(time)")),
	];
}

const [first, ...blocks] = blocksOf(readTreeFile("README.md"));

describe("the README", () => {
	let clone: string;
	let env: Record<string, string>;
	let running: Program;
	let state: StackState;

	before(async () => {
		clone = await makeClone();
		const home = join(clone, ".lethe", "home");
		mkdirSync(home);
		env = bareEnvironment({ HOME: home, npm_config_cache: join(home, "npm"), npm_config_update_notifier: "false" });
		// A process group of its own, so that Ctrl-C reaches all of it, as from a terminal.
		running = start("npm", ["start"], { cwd: clone, env, detached: true });
	});
	after(async () => {
		if (!running.isOver()) process.kill(-(running.child.pid as number), "SIGINT");
		await running.exited;
		rmSync(clone, { recursive: true });
	});

	it("names two commands first, and `npm start` brings everything up without a registry", async () => {
		assert.match(first?.text ?? "", /^npm start .*\nnpm test .*\n$/);
		await running.says(/Ctrl-C ends everything\./);
		assert.doesNotMatch(running.output(), /install/i);
		state = readStackFile(join(clone, ".lethe", "stack.json")) as StackState;
		for (const [name, { pid, logFile }] of Object.entries(state.processes)) {
			assert.ok(pid && runs(pid), name);
			assert.ok(statSync(logFile).isFile(), name);
		}
		for (const shown of [state.processes.api?.url, state.servers.temporal.uiUrl, state.demo?.apiKey]) {
			assert.ok(shown && running.output().includes(shown), shown ?? "not in stack.json");
		}
		assert.equal((await fetch(`${state.processes.api?.url}/docs`)).status, 200);
		assert.equal((await fetch(state.servers.temporal.uiUrl as string)).status, 200);
	});

	it("shows commands that all succeed as they stand", async () => {
		const [, certificate = ""] = /^certificate (crt_\w+): valid$/m.exec(running.output()) ?? [];
		assert.ok(certificate);
		const shell: string[] = [];
		for (const { language, file, text } of blocks) {
			if (file) writeFileSync(join(clone, file), text);
			else if (language === "sh") shell.push(text.replaceAll("crt_…", certificate));
		}
		assert.ok(shell.length >= 5);
		// One shell for all: what an earlier block sets, a later one uses.
		const { code, out, error } = await run("sh", ["-eux"], { cwd: clone, env, input: shell.join("\n") });
		assert.equal(code, 0, `${out}\n${error}`);
		assert.match(out, /^msg_\w+ delivered$/m);
		assert.match(out, /"state":"accepted"/);
		assert.match(out, /"state":"cancelled"/);
		assert.match(out, /msg_\w+ delivered by the client$/m);
		assert.match(out, /^\{"status":"up","version":"\d/m);
		assert.match(out, /"deferUntilLocal":"2026-11-26T09:00:00"/);
		assert.ok(out.includes(`VALID: erasure certificate ${certificate}`));
		assert.match(out, /^ok {3}send queues: /m);
		assert.match(out, /^ok {3}API: http:\/\/127\.0\.0\.1:\d+ answers, version \d/m);
	});

	const lethe = (args: string[], input = "") =>
		run(process.execPath, ["cli/lethe.ts", ...args], { cwd: clone, env, input });
	const send = (...args: string[]) => lethe(["send", "--to", "+12025550142", "--body", "x", ...args]);

	it("has a `send` that tells refused (1) from wrongly asked (2), in one line with the mend", async () => {
		const cases: [answer: ReturnType<typeof send>, code: number, says: RegExp][] = [
			[
				send("--key", "wrong"),
				2,
				/^lethe send: unauthenticated: .*Give a live key with --key; `lethe admin key` makes one\.$/,
			],
			[send("--to", "12025550142"), 2, /^lethe send: invalid_number: .*with nothing between them\. Such as \+1/],
			[send("--body", ""), 2, /^lethe send: invalid_request: .*--body: .*Correct what is named\.$/],
			[send("--valid-for", "soon"), 2, /^lethe send: invalid_request: .*--valid-for: /],
			[send("--reference", "+12025550142"), 2, /^lethe send: reference_not_opaque: .*Correct --reference\.$/],
			[send("--category", "marketing"), 1, /^lethe send: policy_denied: .*CONSENT_MISSING: \w[^\n]+$/],
			[send("--body", "4111 1111 1111 1111"), 1, /^lethe send: card_number: /],
		];
		for (const [answer, expected, says] of cases) {
			const { code, out, error } = await answer;
			assert.deepEqual([code, out], [expected, ""], error);
			assert.match(error, /^[^\n]+\n$/);
			assert.match(error.trimEnd(), says);
		}
		const told = await send("--category", "marketing", "--json");
		assert.deepEqual([told.code, JSON.parse(told.out).code], [1, "policy_denied"]);
		assert.match(told.error, /^lethe send: policy_denied: /);
		const filled = await lethe(["send", "--to", "+12025550142", "--template", "tpl_x", "--variable", "day=May 1"]);
		assert.match(filled.error, /^lethe send: invalid_request: .*--template: No such template/);
		assert.match((await lethe(["send", "--to", "+12025550142"])).error, /give a text with --body, or --template\./);
		const later = await send("--send-at", new Date(Date.now() + 3600_000).toISOString());
		assert.match(later.out, /^msg_\w+ deferred\n$/);
		const dry = await send("--dry-run");
		assert.deepEqual([dry.code, /^dry run: allowed \(\w/.test(dry.out), dry.error], [0, true, ""]);
		assert.match(dry.out, /\n[A-Z_]+: [^\n]{10,}\n$/, "what each reason means comes last");
		const undelivered = await send("--to", magicNumber("undelivered"), "--wait");
		assert.deepEqual([undelivered.code, /^msg_\w+ undelivered\n$/.test(undelivered.out)], [1, true], undelivered.error);
		const patient = await send("--to", magicNumber("no_receipt"), "--wait", "--timeout", "1");
		assert.equal(patient.code, 1);
		assert.match(
			patient.error,
			/lethe send: not final after 1 s: it is \w.*\. It goes on; wait longer with --timeout\.\n$/,
		);
	});

	it("has an `admin` whose tenants and keys work at once, and who refuses what would not", async () => {
		const tenant = await lethe([
			"admin",
			"tenant",
			"create",
			"--name",
			"A",
			"--establishment",
			"US",
			"--send-queue",
			"simulator-demo",
		]);
		const { tenantId } = JSON.parse(tenant.out);
		const { id, apiKey } = JSON.parse((await lethe(["admin", "key", "--tenant", tenantId, "--name", "k"])).out);
		assert.equal((await send("--key", apiKey)).code, 0);
		const revoke = () => lethe(["admin", "revoke", id]);
		assert.deepEqual(await revoke(), { code: 0, out: '{"revoked":true}\n', error: "" });
		assert.match((await send("--key", apiKey)).error, /unauthenticated/);
		assert.deepEqual(await lethe(["admin", "revoke", `${id}x`]), { code: 1, out: '{"revoked":false}\n', error: "" });

		const queue = ["admin", "queue", "--id", "q", "--sender", "S", "--carrier"];
		const simulator = ["simulator", "--setting", "url=http://127.0.0.1:1"];
		const cases: [answer: ReturnType<typeof lethe>, says: RegExp][] = [
			[lethe(["admin", "key", "--tenant", "ten_x", "--name", "k"]), /there is no tenant ten_x\. Create it with/],
			[
				lethe(["admin", "tenant", "create", "--name", "A", "--establishment", "DE", "--send-queue", "nope"]),
				/there is no send queue nope\. Create it with `lethe admin queue`, or correct its id\./,
			],
			[lethe([...queue, ...simulator], "{"), /standard input is not JSON: give \{send: /],
			[lethe([...queue, ...simulator], '{"send":{}}'), /standard input lacks callback/],
			[lethe([...queue, "pigeon"], '{"send":{},"callback":{}}'), /No carrier has this name\. There are: /],
		];
		for (const [answer, says] of cases) {
			const { code, out, error } = await answer;
			assert.deepEqual([code, out], [2, ""], error);
			assert.match(error, /^lethe: [^\n]+\n$/);
			assert.match(error, says);
		}
	});

	it("tells the truth of runs: Temporal holds no host name", async () => {
		const { address, namespace } = state.servers.temporal;
		const connection = await Connection.connect({ address });
		const { workflow } = new Client({ connection, namespace });
		const histories: string[] = [];
		for await (const { workflowId, type } of workflow.list()) {
			if (type !== "lifecycle") continue;
			histories.push(JSON.stringify(await workflow.getHandle(workflowId).fetchHistory()));
		}
		await connection.close();
		assert.ok(histories.length >= 3);
		for (const history of histories) {
			assert.ok(!history.includes(`@${hostname()}`));
			const identities = history.match(/"identity":"[^"]+"/g) ?? [];
			assert.ok(identities.length > 2);
			for (const identity of identities) assert.match(identity, /^"identity":"lethe-(api|worker|sender)-[0-9a-f]{8}"$/);
		}
	});

	it("is right that Ctrl-C ends everything", async () => {
		const pids = [...Object.values(state.servers), ...Object.values(state.processes)].map(({ pid }) => pid as number);
		assert.equal(pids.filter(runs).length, 8);
		process.kill(-(running.child.pid as number), "SIGINT");
		await running.exited;
		assert.deepEqual(pids.filter(runs), []);
		assert.equal(readStackFile(join(clone, ".lethe", "stack.json"))?.pid, null);
		const { code, error } = await run("npx", ["lethe", "send", "--to", "+12025550142", "--body", "x"], {
			cwd: clone,
			env,
		});
		assert.deepEqual([code, /none runs from this folder\. Run `npm start`/.test(error)], [2, true]);
	});

	it("shows in its picture what `npm start -- --once` says, which exits 0", async () => {
		const once = await run("npm", ["start", "--", "--once"], { cwd: clone, env });
		assert.equal(once.code, 0, once.out + once.error);
		assert.ok(!once.out.includes("eyJ"), "a certificate in full is for its file");
		const [program = "", ...args] = /npx lethe verify .+/.exec(once.out)?.[0].split(" ") ?? [];
		const verified = await run(program, args, { cwd: clone, env });
		assert.equal(verified.code, 0, verified.error);
		const drawn = [...readTreeFile("docs/images/run.svg").matchAll(/<text [^>]*>(.*)<\/text>/g)].map(
			([, line = ""]) => line,
		);
		assert.equal(drawn[0], "$ npm start -- --once");
		assert.deepEqual(shapeOf(drawn.slice(1)), shapeOf(runLines(once.out)));
		assert.equal(readStackFile(join(clone, ".lethe", "stack.json"))?.demo?.apiKey, state.demo?.apiKey);
	});

	it("embeds pictures that are there, and small", () => {
		const pictures = [...readTreeFile("README.md").matchAll(/!\[.+?\]\((.+?)\)/g)].map(([, path = ""]) => path);
		assert.deepEqual(pictures, ["docs/images/run.svg", "docs/images/link-page.png", "docs/images/temporal-run.png"]);
		for (const path of pictures) assert.ok(readFileSync(join(clone, path)).length < 300_000, path);
	});
});
