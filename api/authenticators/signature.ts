// Signed requests (RFC 9421): that whoever bears a key's text, or its token, also signed this request, and once.

import { Transform } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import {
	type ContentDigest,
	createDigest,
	isDigest,
	isExpired,
	isSignedBy,
	type MessageSignature,
	readContentDigest,
	readSignatures,
	type SignedMessage,
} from "../messageSignature.ts";
import type { Keyring } from "./keyring.ts";

declare module "fastify" {
	interface FastifyRequest {
		/** Whose signed request it is, and what its body must hash to. */
		signedBody: { key: ApiKeyDocument; digests: ContentDigest[] } | undefined;
	}
}

export type SignatureDeps = Pick<ApiDeps, "clock" | "ids" | "publicUrl"> & {
	keyring: Pick<Keyring, "alert">;
	store: { spentProofs: Pick<ApiDeps["store"]["spentProofs"], "spend"> };
};

// RFC 9421, 7.2.1: what is not covered, whoever is in between may change.
const covered = ["@method", "@target-uri"];
const coveredWhenSent = ["idempotency-key", "prefer", "content-type"];
const noncePattern = /^[\x21-\x7e]{16,128}$/;

/** @throws LetheError signature_invalid, unless a signature of this key's covers the request, is fresh and was not used */
export async function requireSignature(
	deps: SignatureDeps,
	key: ApiKeyDocument,
	request: FastifyRequest,
): Promise<void> {
	try {
		const message = messageOf(deps, request);
		const signed = readSignatures(message).find((one) => isFor(key, one, deps.clock()) && isWhole(one, request));
		if (!signed || !isSignedBy(key.publicKeys ?? [], signed)) throw new TypeError("none that holds");
		const digests = signed.components.includes("content-digest") ? readContentDigest(message) : undefined;
		request.signedBody = digests && { key, digests };
		if (!hasBody(request)) checkEmpty(digests);
		const id = deps.ids.derive("proof", JSON.stringify(["signature", key._id, signed.params.get("nonce")]));
		const eraseBy = deps.clock() + limits.proofAgeMsMax + 2 * limits.clockSkewMs;
		if (!(await deps.store.spentProofs.spend(id, eraseBy))) throw new TypeError("replayed");
	} catch (error) {
		if (!(error instanceof TypeError)) throw error;
		await deps.keyring.alert(key, "signature_invalid", request.id);
		throw new LetheError("signature_invalid", { cause: error });
	}
}

/** Has the bodies of signed requests hashed as they are read: what is not what was signed is not parsed. */
export function addSignedBodies(app: FastifyInstance, { keyring }: Pick<SignatureDeps, "keyring">): void {
	app.decorateRequest("signedBody", undefined);
	app.addHook("preParsing", async (request, _reply, payload) => {
		const { signedBody } = request;
		if (!signedBody || !hasBody(request)) return payload;
		const { key, digests } = signedBody;
		return payload.pipe(createDigestCheck(digests, () => keyring.alert(key, "signature_invalid", request.id)));
	});
}

function messageOf({ publicUrl }: Pick<ApiDeps, "publicUrl">, { method, raw }: FastifyRequest): SignedMessage {
	const { rawHeaders } = raw;
	const headers = Array.from(
		{ length: rawHeaders.length / 2 },
		(_, index) => [rawHeaders[2 * index] as string, rawHeaders[2 * index + 1] as string] as const,
	);
	return { method, targetUri: `${publicUrl}${raw.url}`, headers };
}

/** Whether it names this key, and was made for now. */
function isFor({ _id }: ApiKeyDocument, signature: MessageSignature, now: number): boolean {
	const { params } = signature;
	const [created, nonce] = [params.get("created"), params.get("nonce")];
	if (params.get("keyid") !== _id || typeof created !== "number" || typeof nonce !== "string") return false;
	const age = now - created * 1000;
	const isFresh = age >= -limits.clockSkewMs && age <= limits.proofAgeMsMax + limits.clockSkewMs;
	return isFresh && !isExpired(signature, now) && noncePattern.test(nonce);
}

/** Whether it covers all that decides what the request does. */
function isWhole({ components }: MessageSignature, request: FastifyRequest): boolean {
	const needed = [
		...covered,
		...coveredWhenSent.filter((name) => request.headers[name] !== undefined),
		...(hasBody(request) ? ["content-digest"] : []),
	];
	return needed.every((name) => components.includes(name));
}

function hasBody({ headers }: FastifyRequest): boolean {
	return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function checkEmpty(digests: ContentDigest[] = []): void {
	const isEmpty = digests.every((told) => isDigest(told, createDigest(told).digest()));
	if (!isEmpty) throw new TypeError("the body was taken away");
}

/** @param alert is heard before a body that is another's is refused */
function createDigestCheck(digests: ContentDigest[], alert: () => Promise<void>): Transform {
	const hashes = digests.map((told) => ({ told, hash: createDigest(told) }));
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			for (const { hash } of hashes) hash.update(chunk);
			done(null, chunk);
		},
		flush(done) {
			const holds = hashes.every(({ told, hash }) => isDigest(told, hash.digest()));
			if (holds) return done();
			alert().then(() => done(new LetheError("signature_invalid", { cause: "another body" })), done);
		},
	});
}
