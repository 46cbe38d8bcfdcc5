// One link: what it says of a request is what became of it, however its other end behaves.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createSession } from "../../../../adapters/carriers/smpp/session.ts";

test("once the SMSC has ended its half nothing is written, what was is in doubt, and the link is over", async (t) => {
	const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
	const [peer] = (await once(server, "connection")) as [Socket];
	t.after(() => peer.destroy());
	let octets = 0;
	peer.on("data", (some: Buffer) => {
		octets += some.length;
	});
	let ended = 0;
	const session = createSession({
		...{ socket, window: 10, responseMs: 5_000, enquireMs: 5_000, deliver: async () => 0 },
		onFree: () => undefined,
		onEnd: () => ended++,
	});
	const submit = () => session.request("submit_sm", { fields: { destination_addr: "1" }, tlvs: [] });
	const before = submit();
	await once(peer, "data");
	const written = octets;
	peer.end();
	await once(socket, "end");
	const left = session.free();
	const after = [submit(), new Promise(setImmediate).then(submit)];
	assert.deepEqual(await before, { kind: "unanswered", code: "connection_lost" });
	for (const each of after) assert.deepEqual(await each, { kind: "unsent", code: "unreachable" });
	await once(peer, "end");
	assert.deepEqual([left, ended, octets], [0, 1, written]);
});
