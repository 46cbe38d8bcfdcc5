// A certificate is kept with what was signed beside it: `lethe verify` refuses one whose file says something else.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type IssueCertificateDeps, issueCertificate } from "../../activities/issueCertificate.ts";
import type { CertificateDocument } from "../../adapters/mongo/models.ts";

it("the time of issue that is told is the signed one, however long the signature took", async () => {
	const kept: CertificateDocument[] = [];
	const issuedAt = "2026-11-25T00:00:00.250Z";
	const deps = {
		certificates: { issue: async ({ id }: { id: string }) => ({ id, jws: "a.b.c", payload: { issuedAt } }) },
		store: { certificates: { insert: async (document: CertificateDocument) => kept.push(document) > 0 } },
	} as unknown as IssueCertificateDeps;
	const objects = [{ object: "content", erasedAt: 1, verified: true }] as const;
	await issueCertificate(deps, {
		id: "crt_a",
		kind: "purge",
		tenantId: "ten_a",
		about: "coh_a",
		objects,
		carrierCopies: [],
	});
	const about = { _id: "crt_a", kind: "purge", tenantId: "ten_a", about: "coh_a" };
	assert.deepEqual(kept, [{ ...about, jws: "a.b.c", issuedAt: Date.parse(issuedAt) }]);
});
