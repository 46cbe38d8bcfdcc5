// How a client shows at the token endpoint who it is: its key's text as a client secret (RFC 6749, 2.3.1), or a JWT that it signed (RFC 7523).

import { decodeJwt, type JSONWebKeySet } from "jose";
import type { ApiKeyDocument } from "../adapters/mongo/models.ts";
import { LetheError } from "../domain/errors.ts";
import { isId } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import { signingAlgorithms } from "./authenticators/dpop.ts";
import type { Keyring } from "./authenticators/keyring.ts";
import type { ApiDeps } from "./deps.ts";
import { orRefuse } from "./orRefuse.ts";
import { verifyJwt } from "./verifyJwt.ts";

type ClientDeps = Pick<ApiDeps, "clock" | "ids" | "publicUrl"> & {
	keyring: Pick<Keyring, "open" | "publicKeys" | "recall">;
	store: { spentProofs: Pick<ApiDeps["store"]["spentProofs"], "spend"> };
};

type Asked = {
	ip: string;
	id: string;
	headers: { authorization?: string | undefined };
	form: Record<string, string>;
};

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** As whom somebody asks, whether it is so or not; undefined where they do not say. */
export function claimedClient({ form, headers }: Pick<Asked, "form" | "headers">): string | undefined {
	if (form.client_id !== undefined) return form.client_id;
	if (headers.authorization !== undefined) return readBasic(headers.authorization).id;
	try {
		return form.client_assertion === undefined ? undefined : readIssuer(form.client_assertion);
	} catch {
		return undefined;
	}
}

/**
 * The key of the client that asks.
 * @throws LetheError unauthenticated; invalid_request when it shows more than one thing, or does not say what it shows
 */
export async function authenticateClient(deps: ClientDeps, asked: Asked): Promise<ApiKeyDocument> {
	const { form, headers } = asked;
	const basic = headers.authorization;
	const ways = [basic, form.client_secret, form.client_assertion].filter((way) => way !== undefined);
	if (ways.length > 1) throw refusal("one way to authenticate, not more");
	if (form.client_assertion !== undefined) return readAssertion(deps, asked, form.client_assertion);
	const { id, secret } = basic === undefined ? { id: form.client_id, secret: form.client_secret } : readBasic(basic);
	if (id === undefined || secret === undefined) throw new LetheError("unauthenticated");
	const key = await deps.keyring.open(secret, asked);
	if (key._id !== id) throw new LetheError("unauthenticated");
	return key;
}

function refusal(detail: string): LetheError {
	return new LetheError("invalid_request", { errors: [{ pointer: "", detail }] });
}

/** Both parts are form-encoded before they are joined (RFC 6749, 2.3.1). */
function readBasic(header: string): { id: string | undefined; secret: string | undefined } {
	const encoded = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(header)?.[1] ?? "";
	const [id, secret] = Buffer.from(encoded, "base64").toString("latin1").split(":");
	try {
		return { id: id && decodeURIComponent(id), secret: secret && decodeURIComponent(secret) };
	} catch {
		return { id: undefined, secret: undefined };
	}
}

/** The key that an assertion says it is by. Nobody has signed for that yet: what is no key's id is asked of no store. */
function readIssuer(assertion: string): string | undefined {
	const { iss } = decodeJwt(assertion) as { iss?: unknown };
	return typeof iss === "string" && isId("apiKey", iss) ? iss : undefined;
}

async function readAssertion(deps: ClientDeps, asked: Asked, assertion: string): Promise<ApiKeyDocument> {
	const { form } = asked;
	if (form.client_assertion_type !== assertionType) throw refusal(`client_assertion_type must be ${assertionType}`);
	const clientId = await orRefuse("unauthenticated", async () => readIssuer(assertion));
	if (clientId === undefined || (form.client_id ?? clientId) !== clientId) throw new LetheError("unauthenticated");
	const keys = (await deps.keyring.publicKeys(clientId)) as JSONWebKeySet["keys"];
	const now = deps.clock();
	const { payload } = await orRefuse("unauthenticated", () =>
		verifyJwt(
			assertion,
			{ keys },
			{
				issuer: clientId,
				subject: clientId,
				audience: ["", "/oauth/token", "/v1/oauth/token"].map((path) => `${deps.publicUrl}${path}`),
				algorithms: signingAlgorithms,
				currentDate: new Date(now),
				clockTolerance: limits.clockSkewMs / 1000,
				requiredClaims: ["exp", "jti"],
			},
		),
	);
	const endsAt = (payload.exp as number) * 1000;
	if (endsAt > now + limits.assertionLifeMsMax) throw new LetheError("unauthenticated", { cause: "lives too long" });
	const id = deps.ids.derive("proof", JSON.stringify(["assertion", clientId, payload.jti]));
	if (!(await deps.store.spentProofs.spend(id, endsAt + 2 * limits.clockSkewMs))) {
		throw new LetheError("unauthenticated", { cause: "replayed" });
	}
	return deps.keyring.recall(clientId, asked);
}
