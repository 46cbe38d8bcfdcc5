// `lethe messages` as a shell sees it: what was sent is listed, shown and stopped, and nothing of it tells a number or a text.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTestApi, number, type TestApi } from "../api/harness.ts";
import { root, run as runProgram } from "../harness/programs.ts";

describe("lethe messages, against an API", () => {
	let api: TestApi;
	let key: string;
	let target: string[];
	const ids: string[] = [];
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
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
});
