// A canary's result is what was signed: edited, resigned, of another kind or claiming more than its places bear out, it is refused.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import canonicalize from "canonicalize";
import { type CanaryFound, signCanaryResult, verifyCanaryResult } from "../../audit/canaryResult.ts";
import { certificateType } from "../../audit/certificate.ts";
import { createCompactSigner } from "../../audit/compactJws.ts";
import { verifyCertificate } from "../../audit/verifyCertificate.ts";
import { isId } from "../../domain/ids.ts";
import { createKey } from "./memoryEvidence.ts";

const place = {
	place: "redis, raw files",
	read: true,
	sources: 3,
	bytes: 900,
	controls: { planted: 9, found: 9 },
	hits: 0,
};
const found: CanaryFound = {
	...{ schema: "lethe/canary-result/v1", result: "clean", version: "0.1.0" },
	...{ begunAt: "2026-01-31T00:00:00.000Z", endedAt: "2026-01-31T00:03:00.000Z" },
	messages: { sent: 9, final: 9 },
	places: [place],
	checks: [{ check: "core dumps", ok: true }],
	...{ excluded: [], problems: 0 },
};

describe("a canary's signed result", () => {
	const key = createKey();
	const jwk = { kty: "OKP", crv: "Ed25519", x: key.x, kid: "canary-1" };
	const sign = async (bytes: Uint8Array) => ({ ...(await key.sign(bytes)), kid: jwk.kid });
	const jwks = { keys: [jwk] };
	const reasonOf = async (jws: string, keys: object = jwks) => {
		const verdict = await verifyCanaryResult(jws, keys);
		return verdict.valid ? "valid" : verdict.reason;
	};

	it("verifies offline, under an id that is of nothing else", async () => {
		const { id, jws } = await signCanaryResult(sign, found);
		assert.ok(isId("canary", id));
		assert.deepEqual(await verifyCanaryResult(jws, jwks), { valid: true, kid: jwk.kid, canary: { ...found, id } });
		assert.equal((await signCanaryResult(sign, found)).id, id);
		assert.notEqual((await signCanaryResult(sign, { ...found, problems: 1, result: "unread" })).id, id);
	});

	it("is refused when edited, under another key, and as another kind of text", async () => {
		const { jws } = await signCanaryResult(sign, found);
		const [header = "", payload = "", signature = ""] = jws.split(".");
		const edited = Buffer.from(Buffer.from(payload, "base64url").toString().replace('"bytes":900', '"bytes":901'));
		assert.equal(await reasonOf([header, edited.toString("base64url"), signature].join(".")), "bad_signature");
		assert.equal(await reasonOf(jws, { keys: [{ ...jwk, kid: "other" }] }), "key_not_pinned");
		assert.equal(await reasonOf(jws, { keys: [{ ...jwk, x: createKey().x }] }), "bad_signature");
		assert.equal(await reasonOf("x.y"), "malformed");
		const asCertificate = await createCompactSigner({ sign, typ: certificateType })(canonicalize(found) as string);
		assert.equal(await reasonOf(asCertificate), "wrong_type");
		assert.deepEqual(await verifyCertificate(jws, jwks, { now: Date.now() }), { valid: false, reason: "wrong_type" });
	});

	it("claims no more than its places bear out, though it was rightly signed", async () => {
		const { jws } = await signCanaryResult(sign, found);
		const payload = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
		const signAs = createCompactSigner({ sign, typ: "lethe-canary-result" });
		const resigned = await signAs(canonicalize({ ...payload, endedAt: "2026-01-31T00:04:00.000Z" }) as string);
		assert.equal(await reasonOf(resigned), "inconsistent", "another result's id");
		const lies: Partial<CanaryFound>[] = [
			{ places: [] },
			{ places: [{ ...place, hits: 1 }] },
			{ places: [{ ...place, read: false }] },
			{ places: [{ ...place, controls: { planted: 9, found: 8 } }] },
			{ checks: [{ check: "core dumps", ok: false }] },
			{ problems: 1 },
			{ result: "found" },
			{ result: "unread" },
			{ messages: { sent: 8, final: 9 } },
		];
		for (const lie of lies) {
			const { jws: text } = await signCanaryResult(sign, { ...found, ...lie });
			assert.equal(await reasonOf(text), "inconsistent", JSON.stringify(lie));
		}
	});

	it("says nothing beside its schema, so nothing of what was looked for", async () => {
		const more = { ...found, places: [{ ...place, source: "+4915112345678" } as typeof place] };
		await assert.rejects(signCanaryResult(sign, more), { name: "ZodError" });
	});
});
