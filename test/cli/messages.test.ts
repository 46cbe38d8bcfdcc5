// `lethe messages` as a shell sees it: what was sent is listed, shown and stopped, and nothing of it tells a number or a text.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { createTestApi, number, type TestApi } from "../api/harness.ts";
import { root, run as runProgram } from "../harness/programs.ts";

describe("lethe messages, against an API", () => {
	let api: TestApi;
	let key: string;
	let compliance: string;
	let target: string[];
	const ids: string[] = [];
	before(async () => {
		api = await createTestApi();
		const tenant = await api.addTenant();
		key = tenant.key;
		compliance = (await api.addKey(tenant.tenantId, ["compliance"])).key;
		target = ["--url", await api.app.listen({ host: "127.0.0.1", port: 0 }), "--key", key];
		for (let index = 0; index < 3; index++) ids.unshift((await api.post(key)).json.id);
	});
	after(() => api.close());

	const run = (words: string) =>
		runProgram(process.execPath, [`${root}/cli/lethe.ts`, "messages", ...words.split(" "), ...target]);
	const idsIn = (out: string) => out.match(/^msg_\w+/gm);

	it("lists page by page, newest first, and goes on with the same filters", async () => {
		const first = await run("list --limit 2 --state accepted");
		assert.deepEqual([first.code, idsIn(first.out)], [0, ids.slice(0, 2)], first.error);
		const [, more = ""] = /^more: lethe messages (list --state accepted --cursor \S+)\n$/.exec(first.error) ?? [];
		const second = await run(more);
		assert.deepEqual([idsIn(second.out), second.error], [ids.slice(2), ""]);
		assert.equal((await run("list --state delivered")).out, "");
		const { items } = JSON.parse((await run("list --json")).out);
		assert.deepEqual(
			items.map(({ id }: { id: string }) => id),
			ids,
		);
		assert.ok(!first.out.includes(number.slice(1)));
	});

	it("shows one: how it stands, and until when what of it is kept", async () => {
		const { code, out, error } = await run(`show ${ids[0]}`);
		assert.equal(code, 0, error);
		assert.match(out, new RegExp(`^${ids[0]} {2}accepted +since \\S+Z `));
		for (const name of ["content", "decision record"])
			assert.match(out, new RegExp(`^ {2}${name} kept until \\S+Z$`, "m"));
		const overdue = { "retention.content.eraseBy": Date.now() - 60_000 };
		const messages = api.connection.collection<{ _id: string }>("messages");
		await messages.updateOne({ _id: ids[1] as string }, { $set: overdue });
		assert.match((await run(`show ${ids[1]}`)).out, /^ {2}content not erased yet, due since \S+Z$/m);
		assert.equal(JSON.parse((await run(`show ${ids[0]} --json`)).out).id, ids[0]);
		const evidence = [{ at: Date.now(), type: "rejected", code: "policy_denied" }];
		await messages.updateOne({ _id: ids[1] as string }, { $set: { state: "rejected", evidence } });
		const rejected = (await run(`show ${ids[1]}`)).out;
		assert.match(
			rejected,
			/^ {2}allowed \(.*\n {2}rejected: policy_denied$/m,
			"what was allowed and then refused says so",
		);
		await messages.updateOne({ _id: ids[1] as string }, { $unset: { "evidence.0.code": 1 } });
		assert.match((await run(`show ${ids[1]}`)).out, /^ {2}rejected$/m, "also where its carrier has not said why");
		await messages.updateOne({ _id: ids[1] as string }, { $set: { state: "accepted", evidence: [] } });
		const absent = await run("show msg_x");
		assert.deepEqual([absent.code, /^lethe messages show: not_found: [^\n]+\n$/.test(absent.error)], [1, true]);
	});

	it("cancels what no carrier has; what is past that is a negative answer", async () => {
		const { code, out, error } = await run(`cancel ${ids[0]}`);
		assert.deepEqual([code, /^msg_\w+ {2}cancelled /.test(out)], [0, true], error);
		const again = await run(`cancel ${ids[0]}`);
		assert.deepEqual([again.code, /^lethe messages cancel: not_cancellable: /.test(again.error)], [1, true]);
	});

	it("a state that there is not is misuse", async () => {
		const { code, error } = await run("list --state lost");
		assert.deepEqual([code, /^lethe messages list: .*--state.*\n$/.test(error)], [2, true], error);
	});

	it("finds the messages to a number that no shell remembers, page by page", async () => {
		const search = (...more: string[]) => {
			const words = ["messages", "search", "--number", "-", ...more, "--url", target[1] as string, "--key", compliance];
			return runProgram(process.execPath, [`${root}/cli/lethe.ts`, ...words], { input: `${number}\n` });
		};
		const first = await search("--limit", "2");
		assert.deepEqual([first.code, idsIn(first.out)], [0, ids.slice(0, 2)], first.error);
		const [, cursor = ""] = /more: lethe messages search --number - --cursor (\S+)\n$/.exec(first.error) ?? [];
		assert.deepEqual(idsIn((await search("--cursor", cursor)).out), ids.slice(2));
		assert.ok(!`${first.out}${first.error}`.includes(number.slice(1)));
	});

	it("reads one out for a purpose and a ticket, and takes a key for no person", async () => {
		const asked: string[] = [];
		const server = createServer((request, answer) => {
			request.on("data", (chunk) => asked.push(`${request.url} ${chunk}`));
			const found = request.url?.includes("msg_a")
				? { id: "msg_a", number, text: "At nine." }
				: { id: "msg_b", number };
			request.on("end", () => answer.setHeader("content-type", "application/json").end(JSON.stringify(found)));
		}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const about = ["--purpose", "complaint", "--ticket", "case-1", "--key", "k"];
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const reveal = (id: string, ...at: string[]) =>
			runProgram(process.execPath, [`${root}/cli/lethe.ts`, "messages", "reveal", id, ...about, ...at]);
		const [text, link] = [await reveal("msg_a", "--url", url), await reveal("msg_b", "--url", url)];
		server.close();
		assert.deepEqual([text.code, text.out], [0, `${number}\nAt nine.\n`], text.error);
		assert.equal(link.out, `${number}\nthe text is its recipient's alone to read\n`);
		assert.equal(asked[0], '/v1/messages/msg_a/reveal {"purpose":"complaint","ticket":"case-1"}');
		const byKey = await reveal(ids[0] as string, "--url", target[1] as string, "--key", compliance);
		assert.match(byKey.error, /^lethe messages reveal: person_required: .*`lethe login`/);
	});
});
