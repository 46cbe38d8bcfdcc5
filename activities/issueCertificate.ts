// Signs a certificate and keeps it: what is told beside it is what was signed.

import type { CertificateInput } from "../audit/certificate.ts";
import type { ActivityDeps } from "./deps.ts";

export type IssueCertificateDeps = Pick<ActivityDeps, "certificates"> & {
	store: { certificates: Pick<ActivityDeps["store"]["certificates"], "insert" | "find"> };
};

/**
 * `about`: the id that it is found by. Of certificates of one id the first is kept; answers when that one was issued, epoch ms.
 * @throws LetheError keys_unavailable | store_unavailable
 */
export async function issueCertificate(
	deps: IssueCertificateDeps,
	{ about, ...input }: CertificateInput & { about: string },
): Promise<number> {
	const { jws, payload } = await deps.certificates.issue(input);
	const { id: _id, kind, tenantId } = input;
	const issuedAt = Date.parse(payload.issuedAt);
	if (await deps.store.certificates.insert({ _id, kind, tenantId, about, jws, issuedAt })) return issuedAt;
	return (await deps.store.certificates.find(_id))?.issuedAt ?? issuedAt;
}
