// /v1/api-keys: a tenant's keys for machines, given out once, renewed with an overlap, and ended at once.

import { createPublicKey, type JsonWebKey } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { ApiKeyDocument, Proof } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import { formatTime } from "../../domain/formatTime.ts";
import { limits } from "../../domain/limits.ts";
import { categories } from "../../domain/message.ts";
import { machineRoles } from "../../domain/roles.ts";
import { withoutUndefined } from "../../domain/withoutUndefined.ts";
import { durationMs } from "../../policies/durations.ts";
import { readCursor, toPage } from "../cursor.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { isEd25519Key } from "../isEd25519Key.ts";
import type { Principal } from "../plugins/auth.ts";
import { refusePast } from "../refusePast.ts";
import { requireStanding } from "../requireStanding.ts";
import { fields, pageQuery, problems } from "../schemas.ts";

type Deps = Pick<ApiDeps, "apiKeys" | "clock"> & {
	store: {
		apiKeys: Pick<ApiDeps["store"]["apiKeys"], "find" | "findEnds" | "page">;
		people: Pick<ApiDeps["store"]["people"], "find">;
	};
};

const day = "P1D";
// NIST SP 800-131A; FIPS 186-5, A.1.1.
const rsaBits = { min: 2048, max: 4096 };
const rsaExponentMin = 65_537n;
const grant = {
	roles: z.array(z.enum(machineRoles)).min(1).max(machineRoles.length).meta({
		description:
			"What it may do. None approves: that is for people who sign in with MFA. Who gives it `compliance` has that role.",
	}),
	categories: z
		.array(z.enum(categories))
		.min(1)
		.max(categories.length)
		.optional()
		.meta({ description: "The only categories that it may send." }),
	addresses: z
		.array(
			z.union([z.cidrv4(), z.cidrv6()], {
				error: "A network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32; of one address 192.0.2.7/32.",
			}),
		)
		.min(1)
		.max(limits.addressRangesMax)
		.optional()
		.meta({ description: "The only networks that it may be used from, CIDR." }),
};
const encoded = (min: number, max: number) => z.string().regex(new RegExp(`^[\\w-]{${min},${max}}$`));
const about = { kid: z.string().max(128).optional(), use: z.literal("sig").optional() };
// What is none of a key's own would have every token that it signs refused. RSA with SHA-512 signs requests alone.
const alg = <const Names extends [string, ...string[]]>(...names: Names) => z.enum(names).optional();
// Strict: a private key that somebody sends by mistake is refused, not stored.
const publicKey = z
	.discriminatedUnion("kty", [
		z.strictObject({
			...{ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: encoded(43, 43) },
			...{ alg: alg("EdDSA"), ...about },
		}),
		z.strictObject({
			...{ kty: z.literal("EC"), crv: z.literal("P-256"), x: encoded(43, 43), y: encoded(43, 43) },
			...{ alg: alg("ES256"), ...about },
		}),
		z.strictObject({
			...{ kty: z.literal("RSA"), n: encoded(342, 684), e: encoded(1, 8) },
			...{ alg: alg("PS256", "RS256", "PS512"), ...about },
		}),
	])
	.refine(isKey, { error: "Not a key that verifies anything: off its curve, or too short." })
	.meta({ id: "PublicKey", description: "A JWK: Ed25519, P-256, or RSA of 2048 to 4096 bits." });
const proofs = ["signature", "dpop", "certificate"] as const satisfies Proof[];
const input = z
	.strictObject({
		name: z.string().min(1).max(64).meta({ description: "What people call it." }),
		...grant,
		expiresAt: fields.time.optional(),
		publicKeys: z
			.array(publicKey)
			.min(1)
			.max(limits.publicKeysMax)
			.optional()
			.meta({ description: "What verifies the requests, the JWTs for tokens and the DPoP proofs that it signs." }),
		certificates: z
			.array(encoded(43, 43))
			.min(1)
			.max(limits.clientCertificatesMax)
			.optional()
			.meta({
				description:
					"With the proof `certificate`: the only client certificates that its tokens are bound to, each by its thumbprint " +
					"(`x5t#S256`: SHA-256 of its DER form, base64url); any that the listener's authority signed unless told.",
			}),
		proof: z
			.enum(proofs)
			.optional()
			.meta({
				description:
					"`signature`: each request is signed too (RFC 9421). `dpop`, `certificate`: it is good for tokens only, bound to " +
					"one of its `publicKeys` or to its client certificate.",
			}),
		textless: z.boolean().default(false).meta({ description: "It has no text that could leak: it signs." }),
	})
	.refine(
		({ textless, proof, publicKeys }) =>
			publicKeys !== undefined || !(textless || proof === "signature" || proof === "dpop"),
		{ path: ["publicKeys"], error: "A key that signs needs one." },
	)
	.refine(({ proof, certificates }) => certificates === undefined || proof === "certificate", {
		path: ["certificates"],
		error: 'They are for a key with "proof": "certificate".',
	})
	.meta({ id: "NewApiKey" });
const rotation = z
	.strictObject({
		overlap: fields.duration
			.default(day)
			.refine((text) => durationMs(text) <= limits.rotationOverlapMsMax, { error: "At most thirty days." })
			.meta({ description: "How long the text before goes on; `PT0S` ends it now." }),
	})
	.meta({ id: "ApiKeyRotation" });
const apiKey = z
	.object({
		id: z.string(),
		name: z.string(),
		state: z.enum(["active", "expired", "revoked"]),
		roles: z.array(z.string()),
		categories: z.array(z.string()).optional(),
		addresses: z.array(z.string()).optional(),
		createdAt: z.string(),
		createdBy: z.string(),
		rotatedAt: z.string().optional().meta({ description: "When its present text was made, if it is not the first." }),
		overlapEndsAt: z.string().optional().meta({ description: "Until when the text before still opens." }),
		publicKeys: z.array(z.looseObject({ kty: z.string() })).optional(),
		certificates: z.array(z.string()).optional(),
		proof: z.enum(proofs).optional(),
		expiresAt: z.string().optional(),
		revokedAt: z.string().optional(),
		lastUsedAt: z.string().optional().meta({ description: "To the minute." }),
	})
	.meta({ id: "ApiKey" });
const issued = z
	.object({ ...apiKey.shape, apiKey: z.string().optional().meta({ description: "The key itself, shown this once." }) })
	.meta({ id: "IssuedApiKey" });
const page = z.object({ items: z.array(apiKey), next: z.string().optional() }).meta({ id: "ApiKeyPage" });

const tags = ["access"];
const params = z.strictObject({ id: z.string().max(64) });

export function addApiKeys(app: Instance, deps: Deps): void {
	const read = async ({ tenantId }: Principal, id: string): Promise<ApiKeyDocument> => {
		const found = await deps.store.apiKeys.find(id);
		if (found?.tenantId !== tenantId) throw new LetheError("not_found");
		return found;
	};
	const view = (document: ApiKeyDocument) => viewApiKey(document, deps.clock());

	app.post(
		"/api-keys",
		{
			config: { secretAnswer: true, requestsPerMinuteMax: limits.apiKeysPerMinuteMax },
			schema: {
				operationId: "createApiKey",
				summary: "Create an API key, shown once",
				tags,
				body: input,
				response: { 201: issued.describe("Keep the key: only a keyed hash of it is stored"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			const { expiresAt, textless, ...given } = body;
			requireGiver(principal, given.roles, "/roles");
			refusePast(deps, "/expiresAt", expiresAt);
			const id = request.newId("apiKey");
			const asked = withoutUndefined({
				...given,
				tenantId: principal.tenantId,
				expiresAt: expiresAt === undefined ? undefined : Date.parse(expiresAt),
			}) as Given;
			const { document, apiKey } = await issueWithin(deps, request, asked, { textless, id });
			return reply.code(201).send({ ...view(document), ...(apiKey !== undefined && { apiKey }) });
		},
	);
	addReads(app, deps, { read, view });
	app.post(
		"/api-keys/:id/rotate",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "rotateApiKey",
				summary: "Give a key a new text; the one before goes on for a while",
				description:
					"It stays the same principal: what it began goes on, under either text. Who renews one that has the role " +
					"`compliance` has that role.",
				tags,
				params,
				body: rotation.nullish(),
				response: { 200: issued.describe("With its new text"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			const found = await read(principal, params.id);
			requireGiver(principal, found.roles, "");
			const overlapMs = durationMs(body?.overlap ?? day);
			const { document, apiKey } = await deps.apiKeys.rotate(principal.id, found, overlapMs, request.newId("request"));
			await requireStanding(deps, request);
			return { ...view(document), apiKey };
		},
	);
	app.post(
		"/api-keys/:id/revoke",
		{
			schema: {
				operationId: "revokeApiKey",
				summary: "End a key at once, everywhere within a second",
				tags,
				params,
				body: z.strictObject({}).nullish(),
				response: { 200: apiKey.describe("As it is now"), ...problems },
			},
		},
		async ({ principal, params }) => {
			const found = await read(principal, params.id);
			if (found.revokedAt === undefined) await deps.apiKeys.revoke(principal.id, found);
			return view(await read(principal, params.id));
		},
	);
}

type Reading = {
	read: (principal: Principal, id: string) => Promise<ApiKeyDocument>;
	view: (document: ApiKeyDocument) => z.output<typeof apiKey>;
};

function addReads(app: Instance, deps: Deps, { read, view }: Reading): void {
	app.get(
		"/api-keys",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "listApiKeys",
				summary: "List the keys, newest first",
				tags,
				querystring: z.strictObject(pageQuery),
				response: { 200: page.describe("A page"), ...problems },
			},
		},
		async ({ principal, query }) => {
			const after = readCursor("apiKey", query.cursor);
			const found = await deps.store.apiKeys.page(principal.tenantId, query.limit + 1, after);
			const page = toPage(found, query.limit, ({ createdAt, _id }) => ({ at: createdAt, id: _id }));
			return { ...page, items: page.items.map(view) };
		},
	);
	app.get(
		"/api-keys/:id",
		{
			config: { act: "record_read" },
			schema: {
				operationId: "getApiKey",
				summary: "Read what a key may do and when it was last used",
				tags,
				params,
				response: { 200: apiKey.describe("Never the key itself"), ...problems },
			},
		},
		async ({ principal, params }) => view(await read(principal, params.id)),
	);
}

/**
 * Keys with `compliance` have messages read out and release what is held: whoever may only hand out keys does not hand
 * themselves that. @throws LetheError forbidden, at `pointer`
 */
function requireGiver({ roles }: Principal, given: readonly string[], pointer: string): void {
	if (!given.includes("compliance") || roles.includes("compliance")) return;
	const detail =
		"Only who has the role compliance gives a key that role, or renews a key that has it: have somebody do it who has, " +
		"or make a key on the server, with `lethe admin key`.";
	throw new LetheError("forbidden", { errors: [{ pointer, detail }] });
}

type Given = Parameters<Deps["apiKeys"]["issue"]>[1];

/** Makes a key where there is room for it. Of several that come at once the last sees all the others: none too many stays. */
async function issueWithin(
	deps: Deps,
	request: Pick<FastifyRequest, "principal" | "session">,
	given: Given,
	made: { textless: boolean; id: string },
) {
	const { id: by } = request.principal;
	await refuseMore(deps, given.tenantId, made.id);
	const issued = await deps.apiKeys.issue(by, given, made);
	const check = async () => {
		await refuseMore(deps, given.tenantId, made.id);
		await requireStanding(deps, request);
	};
	await check().catch(async (error) => {
		if (error instanceof LetheError && ["too_many_records", "unauthenticated"].includes(error.code))
			await deps.apiKeys.revoke(by, issued.document);
		throw error;
	});
	return issued;
}

/** `id`: of the key to be made, which an earlier run may have left. @throws LetheError too_many_records */
async function refuseMore({ store, clock }: Deps, tenantId: string, id: string): Promise<void> {
	const now = clock();
	const ends = await store.apiKeys.findEnds(tenantId);
	const others = ends.filter(({ _id, endsAt }) => _id !== id && endsAt > now);
	if (others.length < limits.apiKeysPerTenantMax) return;
	const detail = `The tenant has ${limits.apiKeysPerTenantMax} keys that have not ended: revoke those that nobody uses.`;
	throw new LetheError("too_many_records", { errors: [{ pointer: "", detail }] });
}

/** Whether what looks like a key is one: found out here, not when something is to be verified by it. */
function isKey(jwk: JsonWebKey): boolean {
	try {
		// What Node takes for one may be off its curve.
		if (jwk.kty === "OKP") return isEd25519Key(Buffer.from(jwk.x ?? "", "base64url"));
		const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: "jwk" });
		const { modulusLength, publicExponent } = asymmetricKeyDetails ?? {};
		if (modulusLength === undefined || publicExponent === undefined) return true;
		const isOfLength = modulusLength >= rsaBits.min && modulusLength <= rsaBits.max;
		return isOfLength && publicExponent >= rsaExponentMin && publicExponent % 2n === 1n;
	} catch {
		return false;
	}
}

function viewApiKey(key: ApiKeyDocument, now: number): z.output<typeof apiKey> {
	const { _id: id, name, roles, categories, addresses, createdBy, secrets, publicKeys, certificates, proof } = key;
	const [current, before] = secrets;
	const isOver = (at: number | undefined) => at !== undefined && at <= now;
	const overlapEndsAt = isOver(before?.endsAt) ? undefined : before?.endsAt;
	return withoutUndefined({
		id,
		name,
		state: isOver(key.revokedAt)
			? ("revoked" as const)
			: isOver(key.expiresAt)
				? ("expired" as const)
				: ("active" as const),
		roles,
		categories,
		addresses,
		publicKeys,
		certificates,
		proof,
		createdAt: formatTime(key.createdAt),
		createdBy,
		rotatedAt: before && formatTime(current?.createdAt),
		overlapEndsAt: formatTime(overlapEndsAt),
		expiresAt: formatTime(key.expiresAt),
		revokedAt: formatTime(key.revokedAt),
		lastUsedAt: formatTime(key.lastUsedAt),
	}) as z.output<typeof apiKey>;
}
