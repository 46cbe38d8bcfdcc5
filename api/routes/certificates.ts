// GET /v1/certificates: the proofs of erasure, and the public keys that check them.

import { z } from "zod";
import { LetheError } from "../../domain/errors.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { viewCertificate } from "../view.ts";

type CertificateDeps = { store: { certificates: Pick<ApiDeps["store"]["certificates"], "find" | "page"> } };

const publicKeys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

export function addCertificates(app: Instance, deps: CertificateDeps): void {
	app.get(
		"/certificates/:id",
		{
			schema: {
				operationId: "getCertificate",
				summary: "Read an erasure certificate",
				tags: ["certificates"],
				params: z.strictObject({ id: z.string() }),
				response: { 200: schemas.certificate.describe("The certificate, signed"), ...problems },
			},
		},
		async (request) => {
			const found = await deps.store.certificates.find(request.params.id);
			if (found?.tenantId !== request.principal.tenantId) throw new LetheError("not_found");
			return viewCertificate(found);
		},
	);
	app.get(
		"/certificates",
		{
			schema: {
				operationId: "listCertificates",
				summary: "List the certificates about a submission, a cohort or a record of a recipient, newest first",
				tags: ["certificates"],
				querystring: z.strictObject({ ...pageQuery, about: z.string().min(1).max(64) }),
				response: { 200: schemas.certificatePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { about, cursor, limit } = request.query;
			const after = readCursor("certificate", cursor);
			const found = await deps.store.certificates.page(request.principal.tenantId, about, limit + 1, after);
			const page = toPage(found, limit, ({ issuedAt, _id }) => ({ at: issuedAt, id: _id }));
			return { ...page, items: page.items.map(viewCertificate) };
		},
	);
}

/** The keys are public and the address well known (RFC 8615), also where all else is: no API key is asked. */
export function addPublicKeys(app: Instance, deps: Pick<ApiDeps, "signer" | "tokens" | "receipts">): void {
	app.get(
		"/.well-known/jwks.json",
		{
			schema: {
				operationId: app.prefix === "" ? "getPublicKeys" : "getVersionedPublicKeys",
				summary: "Public keys of certificates, checkpoints, receipts of sending and tokens",
				tags: ["certificates"],
				response: { 200: publicKeys.describe("The keys, those of before among them"), ...problems },
			},
		},
		async (_request, reply) =>
			reply.header("cache-control", "public, max-age=300").send({
				keys: [
					...(await deps.signer.publicJwks()).keys,
					...(await deps.tokens.publicJwks()),
					...(await deps.receipts.publicJwks()),
				],
			}),
	);
}
