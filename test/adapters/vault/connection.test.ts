// What Lethe makes of Vault's failures: one code for "away", none of Vault's text, and never a token.

import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { openVault, pathSegment, vaultFailure } from "../../../adapters/vault/connection.ts";
import { LetheError } from "../../../domain/errors.ts";

const token = "not-a-real-token";
const vaultText = "text of the key server";

async function failureAgainst(listener: RequestListener): Promise<LetheError> {
	const server = createServer(listener).listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	const { port } = server.address() as AddressInfo;
	const vault = openVault({ address: `http://127.0.0.1:${port}`, token: () => token, timeoutMs: 200 });
	try {
		return await failureOf(vault.write("transit/sign/certificate", { input: "secret input" }));
	} finally {
		vault.close();
		server.closeAllConnections();
		server.close();
	}
}

async function failureOf(request: Promise<unknown>): Promise<LetheError> {
	const error = await request.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof LetheError, "it must fail, with a LetheError");
	return error;
}

const answering = (status: number): RequestListener => {
	return (_request, response) => void response.writeHead(status).end(JSON.stringify({ errors: [vaultText] }));
};

for (const status of [429, 500, 502, 503]) {
	test(`an answer ${status} is keys_unavailable`, async () => {
		assert.equal((await failureAgainst(answering(status))).code, "keys_unavailable");
	});
}

for (const status of [400, 403, 404, 405]) {
	test(`an answer ${status} is a refusal, not an outage`, async () => {
		const error = await failureAgainst(answering(status));
		assert.equal(error.code, "internal");
		assert.equal(vaultFailure(error)?.status, status);
	});
}

test("a Vault that is not there, hangs or hangs up is keys_unavailable", async () => {
	const nobody = openVault({ address: "http://127.0.0.1:1", token: () => token });
	const refused = await failureOf(nobody.write("x"));
	nobody.close();
	const hanging = await failureAgainst(() => undefined);
	const hangingUp = await failureAgainst((request) => void request.socket.destroy());
	for (const error of [refused, hanging, hangingUp]) assert.equal(error.code, "keys_unavailable");
});

test("no failure carries the token, the request or Vault's text", async () => {
	const failures = [await failureAgainst(answering(403)), await failureAgainst(answering(500))];
	failures.push(await failureAgainst((request) => void request.socket.destroy()));
	for (const error of failures) {
		const everything = inspect(error, { depth: 20, showHidden: true });
		for (const secret of [token, vaultText, "secret input"]) assert.ok(!everything.includes(secret), everything);
	}
});

test("a name that could leave its place in a path is refused", () => {
	for (const name of ["", "..", "a/b", "a%2fb", "a?list=true", "a b", "é", "a".repeat(129)]) {
		assert.throws(() => pathSegment(name), RangeError);
	}
	assert.equal(pathSegment("coh_abc-1"), "coh_abc-1");
});
