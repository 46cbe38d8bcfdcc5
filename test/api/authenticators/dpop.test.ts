// DPoP proofs, whatever a caller puts into them: each that does not hold is refused, and none fails inside.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { verifyDpop } from "../../../api/authenticators/dpop.ts";
import { formatId, type IdKind } from "../../../domain/ids.ts";
import { createTestApi, type TestApi } from "../harness.ts";
import { createSigning, prove } from "../tokens.ts";

const publicUrl = "https://lethe.example:8443";
const signing = createSigning();

describe("a DPoP proof", () => {
	const deps = {
		clock: Date.now,
		publicUrl,
		ids: {
			random: (kind: IdKind) => formatId(kind, new Uint8Array(16)),
			derive: (kind: IdKind, from: string) => formatId(kind, createHash("sha256").update(from).digest()),
		},
		store: { spentProofs: { spend: async () => true } },
	};
	const verify = (header: object) => {
		const about = { method: "GET", url: `${publicUrl}/v1/messages`, at: Date.now() };
		const dpop = prove(signing, about, { header });
		return verifyDpop(deps, { method: "GET", url: "/v1/messages", headers: { dpop } });
	};

	it("whose key says that it serves something else, or nothing that a key can, is refused as any wrong one is", async () => {
		assert.match(await verify({}), /^[\w-]{43}$/);
		for (const more of [{ key_ops: ["sign"] }, { key_ops: [] }, { key_ops: "verify" }, { use: "enc" }, { x: "AA" }]) {
			const proving = verify({ jwk: { ...signing.jwk, ...more } });
			await assert.rejects(proving, { code: "proof_invalid" }, JSON.stringify(more));
		}
	});
});

describe("a request target in absolute form", () => {
	let api: TestApi;
	before(async () => {
		api = await createTestApi(() => ({ publicUrl }));
		await api.app.listen({ port: 0, host: "127.0.0.1" });
	});
	after(() => api.close());

	function ask(path: string, headers: Record<string, string>, body = ""): Promise<{ status: number; text: string }> {
		const { port } = api.app.server.address() as AddressInfo;
		return new Promise((resolve, reject) => {
			const asked = request({ host: "127.0.0.1", port, method: body ? "POST" : "GET", path, headers }, (answer) => {
				let text = "";
				answer.setEncoding("utf8").on("data", (chunk: string) => {
					text += chunk;
				});
				answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
			});
			asked.on("error", reject).end(body);
		});
	}

	it("is taken as its path, by proofs and by routes alike, whatever host it names", async () => {
		const { key, keyId } = await api.addTenant();
		for (const form of ["", publicUrl, "http://elsewhere.example", "HTTP://elsewhere.example:81"]) {
			const dpop = prove(signing, { method: "POST", url: `${publicUrl}/oauth/token`, at: api.clock() });
			const headers = {
				"content-type": "application/x-www-form-urlencoded",
				authorization: `Basic ${Buffer.from(`${keyId}:${key}`).toString("base64")}`,
				dpop,
			};
			const { status, text } = await ask(`${form}/oauth/token`, headers, "grant_type=client_credentials");
			assert.deepEqual([status, JSON.parse(text).token_type], [200, "DPoP"], form);
			const token = JSON.parse(text).access_token as string;
			const about = { method: "GET", url: `${publicUrl}/v1/messages`, at: api.clock(), token };
			const listed = { authorization: `DPoP ${token}`, dpop: prove(signing, about) };
			assert.equal((await ask(`${form}/v1/messages?limit=1`, listed)).status, 200, form);
			if (form) assert.equal((await ask(`${form}?limit=1`, {})).status, 404, form);
		}
	});
});
