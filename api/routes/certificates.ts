// GET /v1/certificates: the proofs of erasure, and the public keys that check them.

import { z } from "zod";
import type { CertificateDocument } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import { isId } from "../../domain/ids.ts";
import { certificateIdsOf } from "../../domain/message.ts";
import { type Place, readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { pageQuery, problems, schemas } from "../schemas.ts";
import { viewCertificate } from "../view.ts";

type Stores = ApiDeps["store"];
type CertificateDeps = {
	store: {
		certificates: Pick<Stores["certificates"], "find" | "findAll" | "page">;
		messages: Pick<Stores["messages"], "findForTenant">;
	};
};

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
				description:
					"Of a message, those that it names, whatever they are about, for as long as its record is there: " +
					"the submission's it came with, and of what a purge erased the cohort's.",
				tags: ["certificates"],
				querystring: z.strictObject({ ...pageQuery, about: z.string().min(1).max(64) }),
				response: { 200: schemas.certificatePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { about, cursor, limit } = request.query;
			const after = readCursor("certificate", cursor);
			const { tenantId } = request.principal;
			const found = isId("message", about)
				? (await findOfMessage(deps, tenantId, about)).filter((one) => !after || isOlder(one, after))
				: await deps.store.certificates.page(tenantId, about, limit + 1, after);
			const page = toPage(found, limit, ({ issuedAt, _id }) => ({ at: issuedAt, id: _id }));
			return { ...page, items: page.items.map(viewCertificate) };
		},
	);
}

/** Newest first, as a page of others is. */
async function findOfMessage({ store }: CertificateDeps, tenantId: string, id: string): Promise<CertificateDocument[]> {
	const message = await store.messages.findForTenant(tenantId, id);
	if (!message) return [];
	const found = await store.certificates.findAll(certificateIdsOf(message));
	return found.sort((one, other) => (isOlder(other, { at: one.issuedAt, id: one._id }) ? -1 : 1));
}

function isOlder({ issuedAt, _id }: CertificateDocument, { at, id }: Place): boolean {
	return issuedAt < at || (issuedAt === at && _id < id);
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
